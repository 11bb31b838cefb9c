// SPDX-License-Identifier: Apache-2.0
#include "fabric/packet/introduction.h"

#include <cstring>
#include <utility>

namespace cirein::fabric {
namespace {

Nonce MakeNonce(Entropy& entropy) {
  Nonce nonce{};
  for (std::size_t i = 0; i < nonce.size(); i += sizeof(std::uint64_t)) {
    const std::uint64_t seed = entropy.Seed();
    std::memcpy(nonce.data() + i, &seed, sizeof seed);
  }
  return nonce;
}

Status WrongSecret() {
  return PermissionDenied("the other side does not know this cluster's secret",
                          "give both sides the same cluster secret");
}

}  // namespace

Introduction::Introduction(const IntroductionTerms& terms, Entropy& entropy, Address peer)
    : terms_(terms), peer_(std::move(peer)) {
  if (peer_.empty()) {
    challenge_.nonce = MakeNonce(entropy);
    return;
  }
  hello_.nonce = MakeNonce(entropy);
  hello_.message_bytes_max = terms.limits.message_bytes_max;
  hello_.outstanding_bytes_max = terms.limits.outstanding_bytes_max;
  hello_.outstanding_max = terms.limits.outstanding_max;
  hello_.address = ToFixedText(terms.address);
}

Result<ChallengeMessage> Introduction::TakeHello(std::span<const std::byte> message) {
  CIREIN_ASSIGN_OR_RETURN(hello_, ReadHandshake<HelloMessage>(message));
  peer_ = FromFixedText(hello_.address);
  const Limits& limits = terms_.limits;
  if (hello_.message_bytes_max != limits.message_bytes_max ||
      hello_.outstanding_bytes_max != limits.outstanding_bytes_max ||
      hello_.outstanding_max != limits.outstanding_max) {
    return InvalidArgument("the two sides have other limits for messages",
                           "give both sides the same settings");
  }
  challenge_.proof = MakeProof(terms_.secret, ProofSide::kListens, hello_, challenge_);
  return challenge_;
}

Result<ProofMessage> Introduction::TakeChallenge(std::span<const std::byte> message) {
  CIREIN_ASSIGN_OR_RETURN(challenge_, ReadHandshake<ChallengeMessage>(message));
  if (!IsSameProof(challenge_.proof,
                   MakeProof(terms_.secret, ProofSide::kListens, hello_, challenge_))) {
    return WrongSecret();
  }
  ProofMessage proof;
  proof.proof = MakeProof(terms_.secret, ProofSide::kConnects, hello_, challenge_);
  return proof;
}

Status Introduction::TakeProof(std::span<const std::byte> message) const {
  CIREIN_ASSIGN_OR_RETURN(const ProofMessage proof, ReadHandshake<ProofMessage>(message));
  if (!IsSameProof(proof.proof,
                   MakeProof(terms_.secret, ProofSide::kConnects, hello_, challenge_))) {
    return WrongSecret();
  }
  return OkStatus();
}

}  // namespace cirein::fabric
