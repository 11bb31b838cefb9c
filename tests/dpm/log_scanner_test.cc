// SPDX-License-Identifier: Apache-2.0
#include "dpm/log_scanner.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "dpm/memory_region.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::dpm {
namespace {

using test::MemoryRegion;
using Payloads = BatchView::Payloads;

constexpr std::uint64_t kSegments = kMinSegments;
constexpr std::uint64_t kSegmentBytes = kMinSegmentBytes;
constexpr std::uint64_t kSegment = 2;

// A pool with an empty log, in segment 2 of which batches are written.
class LogScannerTest : public testing::Test {
 protected:
  LogScannerTest() {
    Superblock superblock{};
    superblock.durability = static_cast<std::uint32_t>(Durability::kPower);
    superblock.pool_id = 99;
    superblock.segment_bytes = kSegmentBytes;
    superblock.segments = kSegments;
    superblock.state = static_cast<std::uint32_t>(PoolState::kOpen);
    auto made =
        Control::Format(std::make_unique<MemoryRegion>(
                            "control", MemoryRegion::NewBytes(ControlLayout{kSegments}.bytes())),
                        superblock);
    EXPECT_OK(made);
    control_ = std::move(*made);
    SetGeneration(3);
  }

  void SetGeneration(std::uint64_t generation) {
    SegmentRecord record{};
    record.generation = generation;
    record.incarnation = 7;
    record.sequence = 8;
    record.shard = 9;
    record.state = static_cast<std::uint32_t>(SegmentState::kOpen);
    EXPECT_OK(control_->WriteRecord(kSegment, record));
  }

  std::byte& at(std::uint64_t offset) { return log_.bytes()[kSegment * kSegmentBytes + offset]; }

  // Writes a batch of entries of so much data each, with the mark; gives where it ends.
  std::uint64_t Append(std::uint64_t offset, std::uint64_t mark, std::size_t entries = 2,
                       std::size_t data_bytes = 20) {
    const std::vector<std::byte> data(data_bytes, std::byte{0x5A});
    BatchBuilder builder;
    builder.Begin(control_->seed(kSegment), offset, kSegmentBytes - offset);
    for (std::size_t i = 0; i < entries; ++i) {
      EntryFields fields{.key = KeyView(Bucket(1), "row")};
      fields.version = {1, offset + i};
      fields.data = data;
      EXPECT_TRUE(builder.Add(fields));
    }
    const ByteSpan bytes = builder.Finish(mark);
    EXPECT_OK(log_.Write(kSegment * kSegmentBytes + offset, bytes));
    return offset + bytes.size();
  }

  // Five batches one after another, each marking what is before it; their ends, the begin first.
  std::vector<std::uint64_t> AppendFive() {
    std::vector<std::uint64_t> ends = {kFirstBatch};
    for (std::size_t i = 0; i < 5; ++i) ends.push_back(Append(ends.back(), ends.back(), 1 + i));
    return ends;
  }

  void SetMarkWord(std::uint64_t word) {
    log_.StoreWord(kSegment * kSegmentBytes + kMarkOffset, word);
  }

  SegmentScan Scan(std::uint64_t limit = kSegmentBytes, Payloads payloads = Payloads::kCheck) {
    visited_.clear();
    return ScanSegment(*control_, log_, kSegment, limit, payloads,
                       [this](const BatchView&, std::uint64_t at) { visited_.push_back(at); });
  }
  SegmentScan Salvage(std::uint64_t limit = kSegmentBytes) {
    visited_.clear();
    return SalvageSegment(*control_, log_, kSegment, limit,
                          [this](const BatchView&, std::uint64_t at) { visited_.push_back(at); });
  }

  std::unique_ptr<Control> control_;
  MemoryRegion log_{"log", MemoryRegion::NewBytes(kSegments* kSegmentBytes)};
  std::vector<std::uint64_t> visited_;
};

// ---- Marks and headers ----

TEST(MarkTest, AMarkIsWholeAndOfItsLifeOrNone) {
  const std::uint64_t seed = SegmentSeed(1, 2, 3);
  for (const std::uint64_t mark : {kFirstBatch, std::uint64_t{4160}, kMaxSegmentBytes}) {
    const std::uint64_t word = EncodeMark(seed, mark);
    EXPECT_EQ(DecodeMark(seed, word), mark);
    EXPECT_EQ(DecodeMark(SegmentSeed(1, 2, 4), word), 0U);
    EXPECT_EQ(DecodeMark(SegmentSeed(1, 3, 3), word), 0U);
    EXPECT_EQ(DecodeMark(SegmentSeed(2, 2, 3), word), 0U);
    for (int bit = 0; bit < 64; ++bit) {
      EXPECT_EQ(DecodeMark(seed, word ^ (std::uint64_t{1} << bit)), 0U);
    }
  }
  EXPECT_EQ(DecodeMark(seed, 0), 0U);
  EXPECT_EQ(DecodeMark(seed, UINT64_MAX), 0U);
}

TEST_F(LogScannerTest, ASegmentHeaderIsWholeAndInItsPlaceOrNone) {
  SegmentHeader header;
  EXPECT_FALSE(ReadSegmentHeader(log_, control_->pool_id(), kSegmentBytes, kSegment, &header));
  FillSegmentHeader(*control_, kSegment, &header);
  const auto bytes = std::as_bytes(std::span(&header, 1));
  ASSERT_OK(log_.Write(kSegment * kSegmentBytes, bytes));
  ASSERT_OK(log_.Write(3 * kSegmentBytes, bytes));
  SegmentHeader found{};
  const auto read = [&](std::uint64_t pool_id, std::uint64_t segment) {
    return ReadSegmentHeader(log_, pool_id, kSegmentBytes, segment, &found);
  };
  ASSERT_TRUE(read(control_->pool_id(), kSegment));
  EXPECT_EQ(found.generation, 3U);
  EXPECT_EQ(found.incarnation, 7U);
  EXPECT_EQ(found.sequence, 8U);
  EXPECT_EQ(found.shard, 9U);
  EXPECT_FALSE(read(control_->pool_id() + 1, kSegment));
  EXPECT_FALSE(read(control_->pool_id(), 3));
  EXPECT_FALSE(read(control_->pool_id(), kSegments));
  EXPECT_FALSE(read(control_->pool_id(), UINT64_MAX));
  EXPECT_FALSE(ReadSegmentHeader(log_, control_->pool_id(), 0, 0, &found));
  for (std::size_t bit = 0; bit < sizeof header * 8; ++bit) {
    at(bit / 8) ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(read(control_->pool_id(), kSegment)) << bit;
    at(bit / 8) ^= std::byte{1} << (bit % 8);
  }
}

// ---- Scans ----

TEST_F(LogScannerTest, AnEmptySegmentEndsWhereItBegins) {
  const SegmentScan scan = Scan();
  EXPECT_EQ(scan.valid_end, kFirstBatch);
  EXPECT_EQ(scan.mark, 0U);
  EXPECT_EQ(scan.batches, 0U);
  EXPECT_FALSE(scan.beyond);
  EXPECT_FALSE(scan.corrupt());
  for (const std::uint64_t limit : {std::uint64_t{0}, kMarkOffset, kFirstBatch, UINT64_MAX}) {
    EXPECT_EQ(Scan(limit).valid_end, kFirstBatch);
  }
}

TEST_F(LogScannerTest, AWholeRunIsReadToItsEndWithItsHighestMark) {
  const std::vector<std::uint64_t> ends = AppendFive();
  SegmentScan scan = Scan();
  EXPECT_EQ(scan.valid_end, ends.back());
  EXPECT_EQ(scan.mark, ends[4]);
  EXPECT_EQ(scan.batches, 5U);
  EXPECT_EQ(scan.entries, 1U + 2 + 3 + 4 + 5);
  EXPECT_FALSE(scan.beyond);
  EXPECT_FALSE(scan.corrupt());
  EXPECT_EQ(visited_, std::vector<std::uint64_t>(ends.begin(), ends.end() - 1));
  SetMarkWord(EncodeMark(control_->seed(kSegment), ends[5]));
  EXPECT_EQ(Scan().mark, ends[5]);
  // A mark word that lags behind takes nothing back.
  SetMarkWord(EncodeMark(control_->seed(kSegment), ends[1]));
  EXPECT_EQ(Scan().mark, ends[4]);
  EXPECT_EQ(ScanSegment(*control_, log_, kSegment, kSegmentBytes, Payloads::kSkip, nullptr).batches,
            5U);
}

TEST_F(LogScannerTest, NothingBeyondTheLimitIsRead) {
  const std::vector<std::uint64_t> ends = AppendFive();
  SetMarkWord(EncodeMark(control_->seed(kSegment), ends[5]));
  const SegmentScan scan = Scan(ends[3]);
  EXPECT_EQ(scan.valid_end, ends[3]);
  EXPECT_EQ(scan.mark, ends[3]);
  EXPECT_FALSE(scan.beyond);
  EXPECT_FALSE(scan.corrupt());
  EXPECT_EQ(visited_.size(), 3U);
  // A recorded end that no batch has is one of which something is missing.
  EXPECT_EQ(Scan(ends[3] - kLine).valid_end, ends[2]);
  EXPECT_TRUE(Scan(ends[3] - kLine).corrupt());
}

TEST_F(LogScannerTest, ABatchTornAtAnyByteIsCutOff) {
  const std::vector<std::uint64_t> ends = AppendFive();
  const std::vector<std::byte> whole(&at(ends[4]), &at(ends[4]) + (ends[5] - ends[4]));
  for (const std::byte fill : {std::byte{0}, std::byte{0xFF}, std::byte{0x42}}) {
    for (std::size_t kept = 0; kept < whole.size(); ++kept) {
      std::copy_n(whole.begin(), kept, &at(ends[4]));
      std::fill(&at(ends[4]) + kept, &at(ends[5]), fill);
      if (std::equal(whole.begin(), whole.end(), &at(ends[4]))) continue;  // Its own padding.
      const SegmentScan scan = Scan();
      ASSERT_EQ(scan.valid_end, ends[4]) << kept;
      ASSERT_EQ(scan.mark, ends[3]) << kept;
      ASSERT_FALSE(scan.beyond) << kept;
      ASSERT_FALSE(scan.corrupt()) << kept;
    }
  }
}

TEST_F(LogScannerTest, EveryFlipBelowTheMarkIsCorruptionAndAboveItIsTheEnd) {
  const std::vector<std::uint64_t> ends = AppendFive();
  for (std::uint64_t offset = kFirstBatch; offset < ends[5]; ++offset) {
    at(offset) ^= std::byte{1} << (offset % 8);
    const std::size_t hit = static_cast<std::size_t>(
        std::upper_bound(ends.begin(), ends.end(), offset) - ends.begin() - 1);
    const SegmentScan scan = Scan();
    ASSERT_EQ(scan.valid_end, ends[hit]) << offset;
    // The last batch's mark covers all before it.
    ASSERT_EQ(scan.corrupt(), hit < 4) << offset;
    ASSERT_EQ(scan.beyond.has_value(), hit < 4) << offset;
    if (hit < 4) {
      ASSERT_EQ(*scan.beyond, ends[hit + 1]) << offset;
      ASSERT_EQ(scan.mark, ends[4]) << offset;
    }
    ASSERT_EQ(visited_.size(), hit) << offset;
    at(offset) ^= std::byte{1} << (offset % 8);
  }
}

TEST_F(LogScannerTest, TheMarkWordAloneTellsCorruptionOfTheLastBatch) {
  const std::vector<std::uint64_t> ends = AppendFive();
  SetMarkWord(EncodeMark(control_->seed(kSegment), ends[5]));
  at(ends[4] + 40) ^= std::byte{1};
  EXPECT_TRUE(Scan().corrupt());
  // Of another life of the segment it says nothing.
  SetMarkWord(EncodeMark(SegmentSeed(control_->pool_id(), kSegment, 2), ends[5]));
  EXPECT_FALSE(Scan().corrupt());
}

TEST_F(LogScannerTest, AMarkIsFoundInTheHeaderOfABatchThatIsDamagedItself) {
  const std::vector<std::uint64_t> ends = AppendFive();
  at(ends[2] + 40) ^= std::byte{1};  // An entry.
  at(ends[3] + 40) ^= std::byte{1};
  at(ends[4] + 40) ^= std::byte{1};
  const SegmentScan scan = Scan();
  EXPECT_EQ(scan.valid_end, ends[2]);
  EXPECT_EQ(scan.mark, ends[4]);
  EXPECT_TRUE(scan.corrupt());
  EXPECT_FALSE(scan.beyond);
}

TEST_F(LogScannerTest, ABatchBeyondAHoleThatWasNotMarkedIsNoCorruption) {
  // Sectors that were not synced reach a file in any order.
  const std::uint64_t first = Append(kFirstBatch, kFirstBatch);
  const std::uint64_t second = Append(first, kFirstBatch);
  const std::uint64_t third = Append(second, kFirstBatch);
  std::fill(&at(first), &at(second), std::byte{0});
  const SegmentScan scan = Scan();
  EXPECT_EQ(scan.valid_end, first);
  EXPECT_EQ(scan.mark, kFirstBatch);
  EXPECT_EQ(scan.beyond, second);
  EXPECT_FALSE(scan.corrupt());
  EXPECT_EQ(Salvage().batches, 2U);
  EXPECT_EQ(visited_, (std::vector<std::uint64_t>{kFirstBatch, second}));
  EXPECT_LT(second, third);
}

TEST_F(LogScannerTest, BatchesOfAnOlderLifeAfterTheEndAreNotReadOnInto) {
  const std::vector<std::uint64_t> old_ends = AppendFive();
  SetMarkWord(EncodeMark(control_->seed(kSegment), old_ends[5]));
  SetGeneration(4);
  SegmentScan scan = Scan();
  EXPECT_EQ(scan.valid_end, kFirstBatch);
  EXPECT_EQ(scan.mark, 0U);
  EXPECT_FALSE(scan.beyond);
  // The new content ends exactly where an old batch begins.
  std::vector<std::uint64_t> ends = {kFirstBatch};
  for (std::size_t i = 0; i < 3; ++i) ends.push_back(Append(ends.back(), ends.back(), 1 + i));
  ASSERT_EQ(ends[3], old_ends[3]);
  scan = Scan();
  EXPECT_EQ(scan.valid_end, ends[3]);
  EXPECT_EQ(scan.batches, 3U);
  EXPECT_EQ(scan.mark, ends[2]);
  EXPECT_FALSE(scan.beyond);
  EXPECT_EQ(Salvage().batches, 3U);
  // Nor are those of another segment's or an other pool's.
  SetGeneration(3);
  EXPECT_EQ(Scan().valid_end, kFirstBatch);
  EXPECT_EQ(Scan().beyond, ends[3]) << "what is left of the old life is of generation 3";
}

TEST_F(LogScannerTest, LargeDataIsReadOnlyWhenAsked) {
  const std::uint64_t end = Append(kFirstBatch, 0, 1, kPayloadChecksumBytes);
  at(kFirstBatch + 1000) ^= std::byte{1};
  EXPECT_EQ(Scan(kSegmentBytes, Payloads::kSkip).valid_end, end);
  EXPECT_EQ(Scan(kSegmentBytes, Payloads::kCheck).valid_end, kFirstBatch);
  EXPECT_EQ(Salvage().batches, 0U);
}

TEST_F(LogScannerTest, ASalvageVisitsEveryBatchThatIsWhole) {
  const std::vector<std::uint64_t> ends = AppendFive();
  for (unsigned damaged = 0; damaged < 32; ++damaged) {
    std::vector<std::uint64_t> expected;
    for (std::size_t i = 0; i < 5; ++i) {
      if ((damaged >> i & 1U) != 0) {
        at(ends[i] + 33) ^= std::byte{1};
      } else {
        expected.push_back(ends[i]);
      }
    }
    const SegmentScan scan = Salvage();
    EXPECT_EQ(visited_, expected) << damaged;
    EXPECT_EQ(scan.batches, expected.size());
    for (std::size_t i = 0; i < 5; ++i) {
      if ((damaged >> i & 1U) != 0) at(ends[i] + 33) ^= std::byte{1};
    }
  }
}

TEST_F(LogScannerTest, ASegmentFullToItsLastLineIsRead) {
  std::uint64_t end = kFirstBatch;
  std::uint64_t batches = 0;
  for (; end < kSegmentBytes; ++batches) end = Append(end, end, 1, 0);  // Two lines each.
  ASSERT_EQ(end, kSegmentBytes);
  const SegmentScan scan = Scan();
  EXPECT_EQ(scan.valid_end, kSegmentBytes);
  EXPECT_EQ(scan.batches, batches);
  EXPECT_EQ(Scan(kSegmentBytes - 1).valid_end, kSegmentBytes - 2 * kLine);
}

TEST_F(LogScannerTest, RandomDamageNeverYieldsWhatWasNotWrittenNorEndsTheScan) {
  Random random(test::Seed());
  const std::vector<std::uint64_t> ends = AppendFive();
  const std::vector<std::byte> whole(&at(0), &at(0) + kSegmentBytes);
  for (int round = 0; round < 2000; ++round) {
    std::copy(whole.begin(), whole.end(), &at(0));
    for (std::uint64_t damage = 1 + random.Below(4); damage != 0; --damage) {
      const std::uint64_t begin = random.Below(ends[5] + 200);
      const std::uint64_t bytes = 1 + random.Below(100);
      const std::uint64_t from = random.Below(kSegmentBytes - bytes);
      // What was there before, at another place, is the likeliest damage to be taken for good.
      std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(from), bytes, &at(begin));
    }
    const SegmentScan scan = Salvage();
    ASSERT_LE(scan.mark, ends[4]);
    for (const std::uint64_t batch : visited_) {
      const auto found = std::find(ends.begin(), ends.end(), batch);
      ASSERT_NE(found, ends.end());
      ASSERT_TRUE(std::equal(&at(batch), &at(found[1]),
                             whole.begin() + static_cast<std::ptrdiff_t>(batch)));
    }
  }
}

// ---- Bytes made to waste time ----

// Fills a segment with batch headers, each valid by itself and claiming all that follows, and with
// one chain of valid entries that they share, each holding the next header as data. The chain ends
// badly.
void FillWithFalseBatches(std::uint64_t seed, std::span<std::byte> segment) {
  constexpr std::uint64_t kStep = 2 * kLine;
  constexpr std::uint64_t kDataBegin = sizeof(BatchHeader) + sizeof(EntryHeader) + 1;
  constexpr std::uint64_t kDataEnd = kStep + sizeof(BatchHeader);
  EntryFields fields{.key = KeyView(Bucket(1), "r")};
  for (std::uint64_t line = segment.size() - 2 * kStep; line >= kFirstBatch; line -= kStep) {
    BatchHeader header{};
    header.magic = kBatchMagic;
    header.bytes = static_cast<std::uint32_t>(segment.size() - line);
    header.count = UINT32_MAX;
    header.checksum = Checksum64(std::as_bytes(std::span(&header, 1)).subspan(8),
                                 LogSeed(seed, Place::kBatch, line));
    std::memcpy(&segment[line], &header, sizeof header);
    const std::vector<std::byte> data(&segment[line + kDataBegin], &segment[line + kDataEnd]);
    fields.data = data;
    WriteEntry(fields, seed, line + sizeof header, &segment[line + sizeof header]);
  }
}

// Were each header followed to the chain's end, this would take until long after the tests' time
// limit.
TEST(LogScannerTimeTest, BytesMadeToWasteTimeWasteLittle) {
  constexpr std::uint64_t kBytes = std::uint64_t{32} << 20;
  Superblock superblock{};
  superblock.durability = static_cast<std::uint32_t>(Durability::kPower);
  superblock.segment_bytes = kBytes;
  superblock.segments = kMinSegments;
  superblock.state = static_cast<std::uint32_t>(PoolState::kOpen);
  const auto control =
      Control::Format(std::make_unique<MemoryRegion>(
                          "control", MemoryRegion::NewBytes(ControlLayout{kMinSegments}.bytes())),
                      superblock);
  ASSERT_OK(control);
  MemoryRegion log("log", MemoryRegion::NewBytes(kBytes));  // Its first segment is enough.
  FillWithFalseBatches((*control)->seed(0), log.bytes());

  const std::uint64_t begin = kFirstBatch + 2 * kLine;
  BatchHeader header;
  ASSERT_TRUE(
      BatchView::ParseHeader(log.bytes().subspan(begin), (*control)->seed(0), begin, &header));
  EntryView entry;
  ASSERT_TRUE(EntryView::Parse(log.bytes().subspan(begin + sizeof header), (*control)->seed(0),
                               begin + sizeof header, &entry));
  ASSERT_EQ(entry.size(), 2 * kLine);
  const SegmentScan scan = ScanSegment(**control, log, 0, kBytes, Payloads::kCheck, nullptr);
  EXPECT_EQ(scan.valid_end, kFirstBatch);
  EXPECT_EQ(scan.batches, 0U);
  EXPECT_FALSE(scan.beyond);
}

}  // namespace
}  // namespace cirein::dpm
