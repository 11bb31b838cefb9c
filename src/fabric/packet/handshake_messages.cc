// SPDX-License-Identifier: Apache-2.0
#include "fabric/packet/handshake_messages.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/fatal.h"
#include "base/text.h"

namespace cirein::fabric {

FixedText ToFixedText(std::string_view text) {
  FixedText fixed{};
  std::copy_n(text.begin(), std::min(text.size(), fixed.size()), fixed.begin());
  return fixed;
}

std::string FromFixedText(const FixedText& text) {
  return {text.begin(), std::find(text.begin(), text.end(), '\0')};
}

Status CheckHandshake(std::span<const std::byte> bytes, HandshakeKind kind, std::size_t size) {
  HandshakeHead head;
  if (bytes.size() < sizeof head) {
    return InvalidArgument(fmt::format("{} bytes are no message of a handshake", bytes.size()));
  }
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.magic != kHandshakeMagic) {
    return InvalidArgument("the other side speaks another protocol");
  }
  if (head.version != kHandshakeVersion) {
    return InvalidArgument(
        fmt::format("the other side speaks version {} of the protocol, this one {}", head.version,
                    kHandshakeVersion),
        "run the same version of Cirein on both sides");
  }
  if (head.kind != kind || bytes.size() != size) {
    return InvalidArgument(fmt::format("message {} of {} bytes came instead of {} of {}",
                                       static_cast<std::uint32_t>(head.kind), bytes.size(),
                                       static_cast<std::uint32_t>(kind), size));
  }
  return OkStatus();
}

Status RefusalStatus(const RefusalMessage& refusal, const Address& from) {
  const std::string text =
      fmt::format("{} refuses: {}", from, EscapeForPeople(FromFixedText(refusal.text), 128));
  switch (static_cast<StatusCode>(refusal.code)) {
    case StatusCode::kResourceExhausted:
      return ResourceExhausted(text);
    case StatusCode::kPermissionDenied:
      return PermissionDenied(text, "give both sides the same cluster secret");
    default:
      return Unavailable(text);
  }
}

RefusalMessage MakeRefusal(const Status& why) {
  RefusalMessage refusal;
  refusal.code = static_cast<std::uint64_t>(why.code());
  refusal.text = ToFixedText(why.message());
  return refusal;
}

Proof MakeProof(std::string_view secret, ProofSide side, const HelloMessage& hello,
                const ChallengeMessage& challenge) {
  ChallengeMessage without = challenge;
  without.proof = {};
  std::vector<unsigned char> said = {static_cast<unsigned char>(side)};
  for (const std::span<const std::byte> bytes : {BytesOf(hello), BytesOf(without)}) {
    for (const std::byte byte : bytes) said.push_back(static_cast<unsigned char>(byte));
  }
  Proof proof{};
  unsigned int bytes = 0;
  // No key at all would mean another thing to it than an empty one.
  const char* const key = secret.empty() ? "" : secret.data();
  const unsigned char* const made = HMAC(EVP_sha256(), key, static_cast<int>(secret.size()),
                                         said.data(), said.size(), proof.data(), &bytes);
  // Of a length that is fixed, with memory of its own: only a broken library fails.
  if (made == nullptr || bytes != proof.size())
    Fatal("the library of ciphers makes no HMAC-SHA256");
  return proof;
}

bool IsSameProof(const Proof& a, const Proof& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cirein::fabric
