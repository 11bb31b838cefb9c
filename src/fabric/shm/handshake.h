// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cirein/status.h"

#include "fabric/packet/handshake_messages.h"
#include "fabric/packet/introduction.h"
#include "fabric/packet/packet_endpoint.h"
#include "fabric/shm/control_socket.h"
#include "fabric/shm/segment.h"
#include "fabric/transport.h"
#include "runtime/entropy.h"
#include "runtime/file_descriptor.h"
#include "runtime/reactor.h"

namespace cirein::fabric {

/// What two processes share once they have agreed.
struct Agreement {
  ControlSocket socket;
  std::unique_ptr<Segment> segment;
  unsigned side = 0;  ///< Which ring this side writes: 0 connected.
  Address peer;
  PeerProcess process;
};

struct HandshakeTerms {
  IntroductionTerms introduction;  ///< Without a secret, processes of the same user need none.
  std::uint64_t ring_bytes = 0;
};

/// One side's part in making a connection over a socket. Belongs to the home, whose reactor watches
/// the socket; ends, without a word to its user, when it is destroyed.
class Handshake final : public ConnectionAttempt, private FdHandler {
 public:
  /// Called once, with the agreement or why there is none; may destroy the handshake.
  using Ended = std::function<void(Result<Agreement>)>;
  /// Asked by the side that listens when the other one is who it says: may there be one more?
  using Admit = std::function<Status()>;

  /// `terms` and `home` outlive it.
  static Result<std::unique_ptr<ConnectionAttempt>> Connect(Reactor& home,
                                                            const HandshakeTerms& terms,
                                                            const Address& to, Entropy& entropy,
                                                            Ended ended);
  static Result<std::unique_ptr<ConnectionAttempt>> Accept(Reactor& home,
                                                           const HandshakeTerms& terms,
                                                           FileDescriptor fd, Entropy& entropy,
                                                           Admit admit, Ended ended);
  ~Handshake() override;
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

 private:
  enum class Awaits : std::uint8_t { kHello, kChallenge, kProof, kWelcome };

  Handshake(Reactor& home, const HandshakeTerms& terms, ControlSocket socket,
            Introduction introduction, Ended ended)
      : home_(home),
        terms_(terms),
        socket_(std::move(socket)),
        ended_(std::move(ended)),
        introduction_(std::move(introduction)) {}

  Status Begin();
  Status CheckUser() const;
  void OnReady(FdReadiness readiness) override;
  /// True when it is over: `agreement_` is there.
  Result<bool> Take(std::span<const std::byte> message, std::vector<FileDescriptor> descriptors);
  Status TakeHello(std::span<const std::byte> message);
  Status TakeChallenge(std::span<const std::byte> message);
  Status TakeProof(std::span<const std::byte> message);
  Status TakeWelcome(std::span<const std::byte> message, std::vector<FileDescriptor> descriptors);
  void End(Result<Agreement> result);

  Reactor& home_;
  const HandshakeTerms& terms_;
  ControlSocket socket_;
  Admit admit_;
  Ended ended_;
  bool watched_ = false;
  Awaits awaits_ = Awaits::kHello;
  Introduction introduction_;
  Agreement agreement_;
};

}  // namespace cirein::fabric
