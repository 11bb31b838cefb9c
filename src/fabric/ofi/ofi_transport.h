// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "fabric/packet/packet_transport.h"
#include "runtime/reactor.h"
#include "runtime/stream_socket.h"

namespace cirein::fabric {

struct OfiOptions {
  /// Where others connect to, in digits; port 0 is any that is free. Anything but this machine's
  /// own addresses needs a secret.
  StreamAddress listen{.host = "127.0.0.1", .port = 0, .path = {}};
  /// Of libfabric, as FindOfiProviders names it; empty: the best there is.
  std::string provider;
  /// What all processes of a cluster know. Empty: whoever reaches the address may connect.
  std::string secret;
  /// Both sides of a connection have the same ones for messages.
  Limits limits{.message_bytes_max = 4U << 20,
                .outstanding_bytes_max = 64U << 20,
                .outstanding_max = 1024,
                .connections_max = 1024,
                .grants_max = 65536};
  /// Of memory registered for what is longer than a message of libfabric; at least 8 MiB.
  std::uint64_t registered_bytes_max = std::uint64_t{256} << 20;
  /// How much of it is registered before the first message; the rest when it is needed first. Worth
  /// it with cards, where registering takes tens of microseconds.
  std::uint64_t registered_bytes_at_start = 0;
  /// How long a peer that cannot be reached is waited for; at least a second.
  std::chrono::seconds keepalive{15};
  /// Of calls that give none.
  std::chrono::nanoseconds default_deadline = std::chrono::seconds(60);
  /// How long somebody who connects may take to say who it is.
  std::chrono::nanoseconds handshake_max = std::chrono::seconds(5);
};

/// A process's end of the fabric that libfabric carries, between hosts: messages and, for what is
/// long, reads out of memory that is shown; beside them for each connection a TCP socket by which
/// both sides introduce themselves and notice each other's death (docs/design-notes.md, "libfabric
/// between hosts"). One-sided operations are carried out by the target's home.
class OfiTransport final : public PacketTransport {
 public:
  /// Blocks for some milliseconds, the first time for some hundred. `home` outlives it.
  /// InvalidArgument for options that cannot be, FailedPrecondition for an address beyond this
  /// machine without a secret, AlreadyExists for one that is taken, Unavailable when libfabric
  /// offers nothing.
  static Result<std::unique_ptr<OfiTransport>> Create(Reactor& home, OfiOptions options);

  /// Of libfabric, that is used.
  const std::string& provider() const;

 private:
  explicit OfiTransport(std::shared_ptr<PacketEndpoint> endpoint, std::string provider);
  const std::string provider_;
};

}  // namespace cirein::fabric
