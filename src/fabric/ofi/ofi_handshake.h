// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cirein/status.h"

#include "fabric/ofi/control_stream.h"
#include "fabric/ofi/ofi_messages.h"
#include "fabric/packet/introduction.h"
#include "fabric/packet/packet_endpoint.h"
#include "runtime/reactor.h"

namespace cirein::fabric {

/// What two processes know of each other once they have agreed.
struct OfiAgreement {
  ControlStream stream;  ///< Its end is the connection's.
  Address peer;
  std::uint64_t own_token = 0;
  std::uint64_t peer_token = 0;
  std::vector<std::byte> peer_name;  ///< Of its port.
  std::shared_ptr<void> route;  ///< Messages with own_token are kept or taken while it is held.
};

/// What this side says of itself, and what keeps it true.
struct OfiCard {
  OfiCardMessage message;
  std::shared_ptr<void> route;
};

/// One side's part in making a connection over a stream. Belongs to the home, whose reactor watches
/// the socket.
class OfiHandshake final : public ConnectionAttempt, private FdHandler {
 public:
  /// Called once, in a piece of work of its own, with the agreement or why there is none; may
  /// destroy the handshake.
  using Ended = std::function<void(Result<OfiAgreement>)>;
  /// Asked by the side that hears when the other one is who it says: may there be one more?
  using Admit = std::function<Status()>;
  /// What this side's card says, with the token of a connection to come.
  using MakeCard = std::function<OfiCard()>;

  struct Side {
    Reactor& home;
    const IntroductionTerms& terms;  ///< Outlive it.
    Entropy& entropy;
    MakeCard make_card;
  };

  static Result<std::unique_ptr<ConnectionAttempt>> Ask(const Side& side, const Address& to,
                                                        StreamSocket socket, Ended ended);
  static Result<std::unique_ptr<ConnectionAttempt>> Hear(const Side& side, StreamSocket socket,
                                                         Admit admit, Ended ended);
  ~OfiHandshake() override;
  OfiHandshake(const OfiHandshake&) = delete;
  OfiHandshake& operator=(const OfiHandshake&) = delete;

 private:
  enum class Awaits : std::uint8_t { kConnected, kHello, kChallenge, kProof, kCard };

  OfiHandshake(const Side& side, const Address& to, StreamSocket socket, Ended ended);

  Status Watch(FdInterest interest);
  void OnReady(FdReadiness readiness) override;
  Status OnConnected();
  /// True when it is over: `agreement_` is there.
  Result<bool> Take(std::span<const std::byte> message);
  Status TakeCard(std::span<const std::byte> message);
  void End(Result<OfiAgreement> result);

  const Side side_;
  const bool asks_;
  ControlStream stream_;
  Admit admit_;
  Ended ended_;
  bool watched_ = false;
  Awaits awaits_;
  OfiCard card_;  // This side's.
  Introduction introduction_;
  OfiAgreement agreement_;
};

}  // namespace cirein::fabric
