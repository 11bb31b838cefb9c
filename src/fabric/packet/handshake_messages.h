// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "cirein/status.h"

#include "fabric/transport.h"

/// What two processes say to each other over a socket before there is a connection: messages of
/// fixed size, in this order, and nothing else.
namespace cirein::fabric {

inline constexpr std::uint64_t kHandshakeMagic = 0x6d68'736e'6965'7263;  // "creinshm"
inline constexpr std::uint32_t kHandshakeVersion = 1;
inline constexpr std::size_t kHandshakeBytesMax = 512;

enum class HandshakeKind : std::uint32_t { kHello = 1, kChallenge, kProof, kWelcome, kRefusal };

struct HandshakeHead {
  std::uint64_t magic = kHandshakeMagic;
  std::uint32_t version = kHandshakeVersion;
  HandshakeKind kind{};
};

using Nonce = std::array<std::uint8_t, 32>;
using Proof = std::array<std::uint8_t, 32>;
/// Text that ends with a zero, or with the array.
using FixedText = std::array<char, 128>;
FixedText ToFixedText(std::string_view text);
std::string FromFixedText(const FixedText& text);

/// From the side that connects.
struct HelloMessage {
  static constexpr HandshakeKind kKind = HandshakeKind::kHello;
  HandshakeHead head{.kind = kKind};
  Nonce nonce{};
  std::uint64_t message_bytes_max = 0;
  std::uint64_t outstanding_bytes_max = 0;
  std::uint64_t outstanding_max = 0;
  FixedText address{};
};
/// From the side that listens.
struct ChallengeMessage {
  static constexpr HandshakeKind kKind = HandshakeKind::kChallenge;
  HandshakeHead head{.kind = kKind};
  Nonce nonce{};
  Proof proof{};
};
struct ProofMessage {
  static constexpr HandshakeKind kKind = HandshakeKind::kProof;
  HandshakeHead head{.kind = kKind};
  Proof proof{};
};
/// With a descriptor: the segment.
struct WelcomeMessage {
  static constexpr HandshakeKind kKind = HandshakeKind::kWelcome;
  HandshakeHead head{.kind = kKind};
  std::uint64_t ring_bytes = 0;
};
/// Instead of any of the listening side's.
struct RefusalMessage {
  static constexpr HandshakeKind kKind = HandshakeKind::kRefusal;
  HandshakeHead head{.kind = kKind};
  std::uint64_t code = 0;
  FixedText text{};
};
static_assert(sizeof(HelloMessage) == 200 && sizeof(ChallengeMessage) == 80 &&
              sizeof(ProofMessage) == 48 && sizeof(WelcomeMessage) == 24 &&
              sizeof(RefusalMessage) == 152);

template <typename Message>
std::span<const std::byte> BytesOf(const Message& message) {
  static_assert(std::has_unique_object_representations_v<Message>);
  return std::as_bytes(std::span(&message, 1));
}

/// Errors: InvalidArgument, for anything but a message of this kind and version.
Status CheckHandshake(std::span<const std::byte> bytes, HandshakeKind kind, std::size_t size);
template <typename Message>
Result<Message> ReadHandshake(std::span<const std::byte> bytes) {
  CIREIN_RETURN_IF_ERROR(CheckHandshake(bytes, Message::kKind, sizeof(Message)));
  Message message;
  std::memcpy(&message, bytes.data(), sizeof message);
  return message;
}

/// The error that a refusal tells: one that may be told by strangers, as Unavailable else.
Status RefusalStatus(const RefusalMessage& refusal, const Address& from);
RefusalMessage MakeRefusal(const Status& why);

/// Who proves that it knows the secret.
enum class ProofSide : std::uint8_t { kConnects = 1, kListens = 2 };
/// HMAC-SHA256 by the secret over who speaks and both sides' messages, but for the proof in one of
/// them.
Proof MakeProof(std::string_view secret, ProofSide side, const HelloMessage& hello,
                const ChallengeMessage& challenge);
/// Takes as long for every wrong one.
bool IsSameProof(const Proof& a, const Proof& b);

}  // namespace cirein::fabric
