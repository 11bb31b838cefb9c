// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/ring.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fabric/conformance.h"
#include "support/seed.h"

namespace cirein::fabric {
namespace {

constexpr std::size_t kRingBytes = 4096;

class RingTest : public testing::Test {
 protected:
  std::span<std::byte> ring() { return std::as_writable_bytes(std::span(words_)); }
  void PutWord(std::uint64_t at, std::uint64_t word) {
    std::memcpy(ring().data() + at, &word, sizeof word);
  }
  static PacketHead Head(std::uint64_t number, std::uint64_t bytes) {
    return {.kind = 3, .status = 5, .number = number, .bytes = bytes, .word = ~number};
  }

  struct alignas(4096) Words : std::array<std::uint64_t, kRingBytes / 8> {};
  Words words_{};
  RingControl control_{};
  RingWriter writer_{ring(), control_};
  RingReader reader_{ring(), control_};
};

TEST_F(RingTest, IsEmptyAtFirst) {
  EXPECT_FALSE(reader_.HasPiece());
  const auto piece = reader_.Next();
  ASSERT_TRUE(piece.ok());
  EXPECT_FALSE(piece->has_value());
}

TEST_F(RingTest, PacketsOfAllLengthsComeOutAsTheyWentIn) {
  Random random(test::Seed());
  std::deque<std::string> sent;
  std::deque<std::string> waiting;
  std::deque<std::array<std::span<const std::byte>, 3>> parts;
  std::deque<PacketCursor> cursors;
  std::string got;
  bool begins = true;
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  while (read < 3000) {
    if (written < 3000 && cursors.size() < 4) {
      const std::size_t bytes = random.OneIn(10) ? random.Below(20'000) : random.Below(200);
      waiting.push_back(RandomText(random, bytes));
      const auto whole = Bytes(waiting.back());
      const std::size_t cut = random.Below(bytes + 1);
      parts.push_back({whole.first(cut), {}, whole.subspan(cut)});
      cursors.emplace_back(Head(written++, bytes), parts.back());
    }
    if (!cursors.empty()) {
      const bool fits = writer_.Fits(cursors.front().head().bytes);
      writer_.Write(cursors.front());
      if (cursors.front().done()) {
        cursors.pop_front();
        parts.pop_front();
        sent.push_back(std::move(waiting.front()));
        waiting.pop_front();
      } else {
        EXPECT_FALSE(fits && cursors.size() == 1) << "it said that it fits";
      }
    }
    for (std::uint64_t i = random.Below(4); i > 0; --i) {
      const auto piece = reader_.Next();
      ASSERT_TRUE(piece.ok()) << piece.status().ToString();
      if (!piece->has_value()) break;
      const PacketHead& head = (*piece)->head;
      EXPECT_EQ(head.kind, 3);
      EXPECT_EQ(head.status, 5);
      ASSERT_EQ(head.number, read);
      EXPECT_EQ(head.word, ~read);
      ASSERT_EQ((*piece)->is_first, begins);
      got += Text((*piece)->bytes);
      begins = got.size() == head.bytes;
      if (got.size() < head.bytes) continue;
      // The writer may not have taken note of its end yet.
      const std::string& expected = sent.empty() ? waiting.front() : sent.front();
      ASSERT_TRUE(got == expected) << read;
      if (!sent.empty()) sent.pop_front();
      got.clear();
      ++read;
    }
    if (random.OneIn(2)) reader_.Release();
    if (random.OneIn(2)) {
      ASSERT_TRUE(writer_.Refresh().ok());
    }
  }
}

TEST_F(RingTest, AFullRingTakesNothingUntilThereIsRoom) {
  const std::string text(100, 'x');
  int fitted = 0;
  const OnePart short_part(text);
  for (; fitted < 1000; ++fitted) {
    PacketCursor packet(Head(1, text.size()), short_part);
    if (!writer_.Fits(text.size())) break;
    ASSERT_TRUE(writer_.Write(packet));
    ASSERT_TRUE(packet.done());
  }
  EXPECT_GT(fitted, 20);
  const std::string huge(2 * kRingBytes, 'y');
  const OnePart part(huge);
  PacketCursor packet(Head(2, huge.size()), part);
  while (writer_.Write(packet)) {
  }
  EXPECT_FALSE(packet.done());
  EXPECT_LE(writer_.tail() - writer_.head(), kRingBytes - kPieceUnit);
  for (int i = 0; i < fitted; ++i) ASSERT_TRUE(reader_.Next().ok());
  EXPECT_FALSE(writer_.Write(packet)) << "before it was released";
  reader_.Release();
  ASSERT_TRUE(writer_.Refresh().ok());
  EXPECT_TRUE(writer_.Write(packet));
}

TEST_F(RingTest, WordsThatMakeNoSenseAreRefused) {
  const std::uint64_t kind = std::uint64_t{1} << 32;
  const std::vector<std::uint64_t> words = {
      kRingBytes - kPieceUnit + 1 + kind,  // Beyond the ring's end.
      kRingBytes - kPieceUnit + kind,      // All of it: a word of zeros has no room.
      kind + UINT32_MAX,
      7,                                 // No kind.
      kind + (std::uint64_t{2} << 40),   // A flag that is none.
      kind + (std::uint64_t{1} << 56)};  // Bits that are none.
  for (const std::uint64_t word : words) {
    RingReader reader(ring(), control_);
    PutWord(0, word);
    EXPECT_EQ(reader.Next().code(), StatusCode::kDataLoss) << std::hex << word;
  }
  // Round and round, without ever a word of zeros.
  RingReader reader(ring(), control_);
  for (std::uint64_t at = 0; at < kRingBytes; at += kPieceUnit) PutWord(at, kind);
  std::size_t taken = 0;
  while (taken <= kRingBytes && reader.Next().ok()) ++taken;
  EXPECT_LT(taken, kRingBytes / kPieceUnit);
}

TEST_F(RingTest, AHeadThatCannotBeIsRefused) {
  const std::string text(64, 'x');
  const OnePart part(text);
  PacketCursor packet(Head(1, text.size()), part);
  ASSERT_TRUE(writer_.Write(packet));
  for (const std::uint64_t head :
       {writer_.tail() + kPieceUnit, std::uint64_t{1}, ~std::uint64_t{0}, writer_.tail() - 1}) {
    control_.head = head;
    EXPECT_EQ(writer_.Refresh().code(), StatusCode::kDataLoss) << head;
  }
  control_.head = writer_.tail();
  EXPECT_TRUE(writer_.Refresh().ok());
  control_.head = 0;
  EXPECT_EQ(writer_.Refresh().code(), StatusCode::kDataLoss) << "it went back";
}

TEST_F(RingTest, AWishIsTakenOnce) {
  EXPECT_FALSE(writer_.TakeWish(kWakeForPieces));
  reader_.SetWish(kWakeForPieces);
  EXPECT_FALSE(writer_.TakeWish(kWakeForRoom));
  EXPECT_TRUE(writer_.TakeWish(kWakeForPieces));
  EXPECT_FALSE(writer_.TakeWish(kWakeForPieces));
  reader_.SetWish(kWakeForPieces | kWakeForRoom);
  reader_.SetWish(0);
  EXPECT_FALSE(writer_.TakeWish(kWakeForRoom));
}

}  // namespace
}  // namespace cirein::fabric
