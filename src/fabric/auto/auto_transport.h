// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "fabric/ofi/ofi_transport.h"
#include "fabric/shm/shm_transport.h"
#include "fabric/transport.h"
#include "runtime/reactor.h"

namespace cirein::fabric {

struct AutoOptions {
  /// kAuto: shared memory to processes of this host, libfabric to others; the others force one.
  enum class Use : std::uint8_t { kAuto, kShm, kOfi };
  Use use = Use::kAuto;
  /// Of each of them; without a name `shm` has one of its own, which leaves nothing behind. Their
  /// limits, secrets and times are taken from below.
  ShmOptions shm;
  OfiOptions ofi;
  std::string secret;
  Limits limits = ShmOptions().limits;
  std::chrono::nanoseconds default_deadline = std::chrono::seconds(60);
  std::chrono::nanoseconds handshake_max = std::chrono::seconds(5);
};

/// A process's end of all the fabrics there are: each connection uses the best one by which the
/// other side can be reached, and memory and grants are the same over all of them. What Transport
/// and PacketTransport say holds for it too.
class AutoTransport final : public Transport {
 public:
  /// `home` outlives it. Where libfabric offers nothing, kAuto goes on without it. Logs in one line
  /// what is used and why. Errors: those of the fabrics.
  static Result<std::unique_ptr<AutoTransport>> Create(Reactor& home, AutoOptions options);
  ~AutoTransport() override;

  /// What is used, and why: one line.
  const std::string& reason() const { return reason_; }

  const Address& address() const override { return address_; }
  const Limits& limits() const override { return limits_; }
  Status Listen(Service& service) override;
  Status Connect(const Address& address, Service& service, Deadline deadline,
                 ConnectCallback done) override;
  Result<MemoryId> Register(std::shared_ptr<Region> region) override;
  Result<MemoryId> Register(std::span<std::byte> memory, std::shared_ptr<void> keeps) override;
  Status Unregister(MemoryId memory) override;
  Result<Grant> MakeGrant(MemoryId memory, ByteRange range, Access access) override;
  Status Revoke(const Grant& grant) override;

  /// For tests, as PacketTransport::Die.
  void Die();
  bool has_waiting() const;

 private:
  AutoTransport() = default;
  /// Whose calls on memory are everybody's: the table is one.
  PacketTransport& any() const {
    return shm_ != nullptr ? *shm_ : static_cast<PacketTransport&>(*ofi_);
  }

  std::string host_;
  Address address_;
  Limits limits_;
  std::string reason_;
  std::unique_ptr<ShmTransport> shm_;
  std::unique_ptr<OfiTransport> ofi_;
};

}  // namespace cirein::fabric
