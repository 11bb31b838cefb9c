// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "fabric/transport.h"
#include "runtime/reactor.h"

namespace cirein::fabric {

class ShmEndpoint;

struct ShmOptions {
  /// Where others find it: the path of a Unix socket, or "@" and an abstract name, which leaves
  /// nothing behind. At most 107 bytes.
  std::string name;
  /// What all processes of a cluster know. Empty: only processes of the same user may connect.
  std::string secret;
  /// Both sides of a connection have the same ones for messages.
  Limits limits{.message_bytes_max = 4U << 20,
                .outstanding_bytes_max = 64U << 20,
                .outstanding_max = 1024,
                .connections_max = 1024,
                .grants_max = 65536};
  /// Of each of a connection's two rings; a power of two from 4 KiB to 64 MiB. The listening side's
  /// counts.
  std::uint64_t ring_bytes = 256U << 10;
  /// Of calls that give none.
  std::chrono::nanoseconds default_deadline = std::chrono::seconds(60);
  /// How long somebody who connects may take to say who it is.
  std::chrono::nanoseconds handshake_max = std::chrono::seconds(5);
};

/// A process's end of the fabric of shared memory, between processes of one host: rings in shared
/// memory, and a socket that notices death (docs/design-notes.md, "Rings between processes of one
/// host"). One-sided operations are carried out by the target's home.
///
/// Its home is a reactor. It is made and destroyed on the home's thread, or while nobody runs it;
/// everything else is thread-safe. Connect also fails with PermissionDenied: another secret, or
/// another user.
class ShmTransport final : public Transport {
 public:
  /// `home` outlives it. InvalidArgument for options that cannot be.
  static Result<std::unique_ptr<ShmTransport>> Create(Reactor& home, ShmOptions options);
  ~ShmTransport() override;

  const Address& address() const override;
  const Limits& limits() const override;
  Status Listen(Service& service) override;
  Status Connect(const Address& address, Service& service, Deadline deadline,
                 ConnectCallback done) override;
  Result<MemoryId> Register(std::shared_ptr<Region> region) override;
  Result<MemoryId> Register(std::span<std::byte> memory, std::shared_ptr<void> keeps) override;
  Status Unregister(MemoryId memory) override;
  Result<Grant> MakeGrant(MemoryId memory, ByteRange range, Access access) override;
  Status Revoke(const Grant& grant) override;

  /// For tests: all that the others see of it from now on is what they see of a process that was
  /// killed. Nothing is called any more, on destruction either. On the home's thread.
  void Die();

 private:
  explicit ShmTransport(std::shared_ptr<ShmEndpoint> endpoint);
  const std::shared_ptr<ShmEndpoint> endpoint_;
};

}  // namespace cirein::fabric
