// SPDX-License-Identifier: Apache-2.0

// Any bytes as what another process says before it shares memory, and as a ring that it writes:
// what comes out is in the ring, and never more than it holds; what a reader said is never
// believed.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "check.h"
#include "fabric/packet/handshake_messages.h"
#include "fabric/shm/ring.h"

namespace {

using namespace cirein::fabric;  // NOLINT: all of it is under test

constexpr std::size_t kRingBytes = 4096;
struct alignas(4096) Ring {
  std::array<std::byte, kRingBytes> bytes{};
};

template <typename Message>
void CheckMessage(std::span<const std::byte> bytes) {
  const auto read = ReadHandshake<Message>(bytes);
  CIREIN_FUZZ_CHECK(read.ok() == (bytes.size() == sizeof(Message) &&
                                  CheckHandshake(bytes, Message::kKind, bytes.size()).ok()));
  if (read.ok()) CIREIN_FUZZ_CHECK(std::equal(bytes.begin(), bytes.end(), BytesOf(*read).begin()));
}

void CheckHandshakes(std::span<const std::byte> bytes) {
  CheckMessage<HelloMessage>(bytes);
  CheckMessage<ChallengeMessage>(bytes);
  CheckMessage<ProofMessage>(bytes);
  CheckMessage<WelcomeMessage>(bytes);
  CheckMessage<RefusalMessage>(bytes);
  const auto refusal = ReadHandshake<RefusalMessage>(bytes);
  if (refusal.ok()) CIREIN_FUZZ_CHECK(!RefusalStatus(*refusal, "shm://@x").ok());
}

/// Reads to the end of sense; the ring is released now and then, as the bytes say.
void CheckReader(const Ring& ring, std::uint8_t release_every) {
  RingControl control{};
  RingReader reader(ring.bytes, control);
  std::uint64_t unreleased = 0;
  for (int taken = 1; taken < 1000; ++taken) {
    const auto piece = reader.Next();
    if (!piece.ok() || !piece->has_value()) break;
    const std::span<const std::byte> bytes = (*piece)->bytes;
    CIREIN_FUZZ_CHECK(bytes.data() >= ring.bytes.data() + kPieceUnit);
    CIREIN_FUZZ_CHECK(bytes.data() + bytes.size() <= ring.bytes.data() + kRingBytes);
    CIREIN_FUZZ_CHECK((*piece)->head.kind != 0);
    unreleased += kPieceUnit + bytes.size();
    CIREIN_FUZZ_CHECK(unreleased < kRingBytes);
    if (release_every == 0 || taken % release_every != 0) continue;
    reader.Release();
    unreleased = 0;
  }
}

/// Whatever the reader says it has read, the writer stays in the ring.
void CheckWriter(std::span<const std::byte> said) {
  Ring ring;
  RingControl control{};
  RingWriter writer(ring.bytes, control);
  const std::array<std::byte, 100> message{};
  const std::span<const std::byte> part(message);
  while (said.size() >= sizeof control.head) {
    PacketCursor packet({.kind = 1, .status = 0, .number = 0, .bytes = part.size(), .word = 0},
                        {&part, 1});
    writer.Write(packet);
    std::memcpy(&control.head, said.data(), sizeof control.head);
    said = said.subspan(sizeof control.head);
    const std::uint64_t before = writer.head();
    const bool believed = writer.Refresh().ok();
    CIREIN_FUZZ_CHECK(believed == (control.head >= before && control.head <= writer.tail() &&
                                   control.head % kPieceUnit == 0));
    CIREIN_FUZZ_CHECK(writer.head() == (believed ? control.head : before));
    CIREIN_FUZZ_CHECK(writer.tail() - writer.head() <= kRingBytes - kPieceUnit);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  CheckHandshakes(bytes);
  CheckWriter(bytes);
  Ring ring;
  std::copy_n(bytes.begin(), std::min(bytes.size(), kRingBytes), ring.bytes.begin());
  CheckReader(ring, size == 0 ? std::uint8_t{0} : data[size - 1]);
  return 0;
}
