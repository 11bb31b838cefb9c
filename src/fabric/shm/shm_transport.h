// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "fabric/packet/packet_transport.h"
#include "fabric/shm/loan.h"
#include "runtime/reactor.h"

namespace cirein::fabric {

class Loans;
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
  /// What is reached by mapping it, here and at others, when a grant covers all of a region that
  /// has a descriptor. Who knows the secret and breaks the rules may use what it was lent for as
  /// long as it keeps the mapping. kFiles is for those who see all holders dead before they give a
  /// file whose owner has died to somebody else: the end of a connection does not say so.
  Mappings mappings = Mappings::kFilesToRead;
  /// How long Revoke and Unregister wait for a holder that is in the middle of an operation.
  std::chrono::nanoseconds revoke_max = std::chrono::seconds(1);
  /// Of calls that give none.
  std::chrono::nanoseconds default_deadline = std::chrono::seconds(60);
  /// How long somebody who connects may take to say who it is.
  std::chrono::nanoseconds handshake_max = std::chrono::seconds(5);
};

/// A process's end of the fabric of shared memory, between processes of one host: rings in shared
/// memory, and a socket that notices death (docs/design-notes.md, "Rings between processes of one
/// host"). One-sided operations are carried out by their caller where the memory is mapped
/// (ShmOptions::mappings), else, and at first, by the target's home.
/// Without a secret Connect also fails with PermissionDenied for another user's process.
///
/// A holder may be stopped in the middle of an operation in a mapping. Revoke and Unregister wait
/// for it, whether its connection has ended or not, until the operation has ended or its process is
/// dead, and then say OK: nothing takes effect through the grant any more. After revoke_max they
/// say Unavailable: no operation begins any more, but that one may still take effect, until the
/// process goes on or is dead. Till then the region is in quarantine: the transport holds it, also
/// when it was unregistered or the transport is destroyed, so it is let go, and its memory used
/// again, only then; whoever else holds it must not give it to other use. So promises 3 and 5 hold
/// but for such an operation. What is in quarantine is counted; when it is too much, nothing more
/// is lent.
class ShmTransport final : public PacketTransport {
 public:
  /// `home` outlives it. InvalidArgument for options that cannot be.
  static Result<std::unique_ptr<ShmTransport>> Create(Reactor& home, const ShmOptions& options);

  /// Loans in quarantine: grants that were taken back, or whose connection has ended, by which an
  /// operation that has begun may still take effect. Thread-safe.
  std::size_t quarantined() const;

 private:
  explicit ShmTransport(const std::shared_ptr<ShmEndpoint>& endpoint);

  const std::shared_ptr<const Loans> loans_;
};

}  // namespace cirein::fabric
