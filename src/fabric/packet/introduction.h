// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "cirein/status.h"

#include "fabric/packet/handshake_messages.h"
#include "fabric/transport.h"
#include "runtime/entropy.h"

namespace cirein::fabric {

/// How one side introduces itself, and judges the other one.
struct IntroductionTerms {
  Address address;
  std::string secret;
  Limits limits;
};

/// What two sides say to each other before they agree on anything: each proves that it knows the
/// cluster's secret without telling it. The asking side sends a hello, takes a challenge, sends a
/// proof; the other one hears them. How the messages travel, and what they agree on then, is the
/// fabric's.
class Introduction {
 public:
  /// `terms` outlive it. `peer` is whom this side asks, or empty for the side that hears.
  Introduction(const IntroductionTerms& terms, Entropy& entropy, Address peer);

  /// Of the asking side.
  const HelloMessage& hello() const { return hello_; }
  Result<ProofMessage> TakeChallenge(std::span<const std::byte> message);

  /// Of the side that hears. InvalidArgument: not this protocol, or other limits; PermissionDenied:
  /// another secret.
  Result<ChallengeMessage> TakeHello(std::span<const std::byte> message);
  Status TakeProof(std::span<const std::byte> message) const;

  /// Who the other side is, as asked for, or as it says itself.
  const Address& peer() const { return peer_; }

 private:
  const IntroductionTerms& terms_;
  Address peer_;
  HelloMessage hello_;
  ChallengeMessage challenge_;
};

}  // namespace cirein::fabric
