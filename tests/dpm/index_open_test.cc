// SPDX-License-Identifier: Apache-2.0
// Opening an index of any content: DataLoss or OK, and if OK, an index that can be used.
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dpm/index.h"
#include "dpm/index_fixture.h"
#include "dpm/index_words.h"
#include "support/seed.h"

namespace cirein::dpm::test {
namespace {

class IndexOpenTest : public IndexTest {
 protected:
  IndexOpenTest() : IndexTest(32, 1024) {}

  // Rows, columns, chains, long names: some of all there is.
  void Fill() {
    std::uint64_t version = 0;
    for (int i = 0; i < 120; ++i) {
      const std::string row = "row" + std::to_string(i) + std::string(i % 7 == 0 ? 300 : 0, 'x');
      Add(log_.Object(RowKey(row), ++version, SlotOf(i)));
      for (int j = 0; i % 10 == 0 && j < 30; ++j) {
        Add(log_.Object(ColumnKey(row, std::to_string(j)), ++version, SlotOf(i)));
      }
      if (i % 11 == 0) Add(log_.Row(row, version + 1, version, SlotOf(i)));
      version += 2;
    }
  }
  static std::uint16_t SlotOf(int i) { return static_cast<std::uint16_t>(i % 3); }
  void Add(const Index::Op& op) {
    ASSERT_EQ(Apply(op), Index::Outcome::kApplied);
    ops_.push_back(op);
  }

  // Opens it and, when that is possible, uses it all.
  bool OpenAndUse(std::unique_ptr<Region> region, Random& random) {
    auto opened = Index::Open(std::move(region), Options());
    if (!opened.ok()) {
      EXPECT_EQ(opened.status().code(), StatusCode::kDataLoss) << opened.status().ToString();
      return false;
    }
    Index& index = **opened;
    for (const Index::Op& op : ops_) {
      (void)index.Find(op.entry.key(), op.entry.slot());
      (void)index.LeadsTo(op.entry, op.location);
    }
    for (std::uint16_t slot = 0; slot < 4; ++slot) {
      std::uint64_t visits = 0;
      index.WalkSlot(slot, [&](const Index::Found&) { return ++visits < 100'000; });
      EXPECT_LT(visits, 100'000U);
    }
    (void)index.Apply(ops_, [](Location, const EntryView&) {});
    for (const Index::Op& op : ops_) {
      if (random.OneIn(2)) (void)index.Forget(op.entry, op.location);
    }
    index.Reclaim();
    return true;
  }

  std::vector<Index::Op> ops_;
};

TEST_F(IndexOpenTest, FindsEverythingAgain) {
  Fill();
  auto opened = OpenCopy();
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  const Index::Stats before = index_->GetStats();
  const Index::Stats after = (*opened)->GetStats();
  EXPECT_EQ(after.keys, before.keys);
  EXPECT_EQ(after.rows, before.rows);
  index_->Reclaim();
  EXPECT_EQ(after.used_bytes, index_->GetStats().used_bytes);
  for (const Index::Op& op : ops_) {
    EXPECT_EQ((*opened)->LeadsTo(op.entry, op.location), index_->LeadsTo(op.entry, op.location));
  }
}

TEST_F(IndexOpenTest, RefusesAnotherHeader) {
  const auto refuses = [&](std::unique_ptr<Region> region, const Index::Options& options) {
    const auto opened = Index::Open(std::move(region), options);
    return !opened.ok() && opened.status().code() == StatusCode::kDataLoss;
  };
  Index::Options options = Options();
  EXPECT_FALSE(refuses(CopyOfRegion(), options));
  options.pool_id += 1;
  EXPECT_TRUE(refuses(CopyOfRegion(), options));
  options = Options();
  options.segments -= 1;
  EXPECT_TRUE(refuses(CopyOfRegion(), options));
  EXPECT_TRUE(refuses(std::make_unique<MemoryRegion>(region_->size()), Options()));
  EXPECT_TRUE(refuses(std::make_unique<MemoryRegion>(kPage), Options()));
  EXPECT_TRUE(refuses(std::make_unique<MemoryRegion>(1), Options()));
  auto longer = std::make_unique<MemoryRegion>(region_->size() + kLine);
  ASSERT_TRUE(longer->Write(0, {region_->data(), region_->size()}).ok());
  EXPECT_TRUE(refuses(std::move(longer), Options()));
  for (std::uint64_t byte = 0; byte < sizeof(IndexHeader); ++byte) {
    auto copy = CopyOfRegion();
    const std::byte flipped = copy->data()[byte] ^ std::byte{16};
    ASSERT_TRUE(copy->Write(byte, {&flipped, 1}).ok());
    EXPECT_TRUE(refuses(std::move(copy), Options())) << byte;
  }
}

TEST_F(IndexOpenTest, FormatNeedsRoomAndStores) {
  EXPECT_FALSE(Index::Format(std::make_unique<MemoryRegion>(kPage), Options()).ok());
}

// What each of these would lead to: the same line twice, a loop, memory outside.
TEST_F(IndexOpenTest, NamesWhatDoesNotFit) {
  Fill();
  const IndexLayout layout{log_.segments()};
  const std::uint64_t slot0 = region_->LoadWord(layout.slot_word(0));
  const TableWord table(slot0);
  ASSERT_GE(table.buckets(), 2U);
  const auto refused = [&](std::uint64_t offset, std::uint64_t word, const char* says) {
    auto copy = CopyOfRegion();
    copy->StoreWord(offset, word);
    const auto opened = Index::Open(std::move(copy), Options());
    ASSERT_FALSE(opened.ok()) << says;
    EXPECT_NE(opened.status().ToString().find(says), std::string::npos)
        << opened.status().ToString();
  };
  const std::uint64_t bucket = table.offset();
  refused(layout.slot_word(9), slot0, "table");
  refused(layout.slot_word(9), TableWord::Of(1, 0, region_->size()).word(), "table");
  refused(layout.slot_word(9), TableWord::Of(1, 0, 0).word(), "table");
  refused(layout.slot_word(9), TableWord::Of(1, 63, layout.heap()).word(), "table");
  refused(layout.slot_word(9), TableWord::Of(1, 40, layout.heap()).word(), "table");
  refused(bucket + kNextOffset, bucket, "link");
  refused(bucket + kNextOffset, table.offset() + kLine, "link");
  refused(bucket + kNextOffset, region_->size(), "link");
  refused(bucket + kNextOffset, ~std::uint64_t{0}, "link");
  refused(bucket + kNextOffset, 8, "link");
  refused(bucket, Cell::Of(0, CellKind::kEntry, log_.size()).word(), "no place in the log");
  refused(bucket, Cell::Of(0, CellKind::kEntry, 8).word(), "no place in the log");
  refused(bucket, Cell::Of(0, CellKind::kEntry, kSegmentBytes - 8).word(), "no place in the log");
  refused(bucket, Cell::Of(0, static_cast<CellKind>(0), kFirstBatch).word(), "unknown kind");
  refused(bucket, Cell::Of(0, static_cast<CellKind>(3), kFirstBatch).word(), "unknown kind");
  refused(bucket, Cell::Of(0, CellKind::kRowNode, bucket).word(), "row");
  refused(bucket, Cell::Of(0, CellKind::kRowNode, region_->size()).word(), "row");
  refused(bucket, Cell::Of(std::uint64_t{1} << 56, CellKind::kEntry, kFirstBatch).word(), "bucket");
}

TEST_F(IndexOpenTest, AnyWordsAreRefusedOrUsable) {
  Fill();
  const std::uint64_t seed = cirein::test::Seed();
  const std::uint64_t slots = IndexLayout{log_.segments()}.slot_word(0);
  const std::uint64_t heap = IndexLayout{log_.segments()}.heap();
  index_->Reclaim();
  int opened = 0;
  for (std::uint64_t round = 0; round < 1500; ++round) {
    SCOPED_TRACE(round);
    Random random(seed + round);
    auto copy = CopyOfRegion();
    for (std::uint64_t n = 1 + random.Below(3); n > 0; --n) {
      const bool in_slots = random.OneIn(10);
      const std::uint64_t at =
          in_slots ? slots + random.Below(4) * 8 : heap + random.Below(heap_lines_ * 4) / 8 * 8;
      const std::uint64_t old = copy->LoadWord(at);
      const std::uint64_t other = copy->LoadWord(heap + random.Below(heap_lines_ * 4) / 8 * 8);
      const std::uint64_t words[] = {old ^ (std::uint64_t{1} << random.Below(64)),
                                     random(),
                                     other,
                                     0,
                                     old + random.Below(100),
                                     (old >> 46 << 46) | random.Below(log_.size() / 8)};
      copy->StoreWord(at, words[random.Below(6)]);
    }
    opened += OpenAndUse(std::move(copy), random) ? 1 : 0;
  }
  EXPECT_GT(opened, 0);
  EXPECT_LT(opened, 1500);
}

TEST_F(IndexOpenTest, AnyLogIsRefusedOrUsable) {
  Fill();
  Random random(cirein::test::Seed());
  // The log's bytes are somebody else's: only the region is copied, and the entries are trusted by
  // those who apply them. So keep the entries that are applied again, in a log of their own.
  Log spare(32);
  std::vector<Index::Op> kept;
  for (const Index::Op& op : ops_) {
    if (op.entry.kind() == EntryKind::kObject) kept.push_back(spare.Copy(op.entry));
  }
  for (int round = 0; round < 100; ++round) {
    for (int n = 0; n < 200; ++n) {
      log_.mutable_bytes()[random.Below(64 * 1024)] = static_cast<std::byte>(random());
    }
    auto opened = OpenCopy();
    ASSERT_TRUE(opened.ok());
    for (std::uint16_t slot = 0; slot < 4; ++slot) {
      (*opened)->WalkSlot(slot, [](const Index::Found&) { return true; });
    }
    for (const Index::Op& op : kept) {
      (void)(*opened)->Find(op.entry.key(), op.entry.slot());
      (void)(*opened)->WalkRow(op.entry.key(), op.entry.slot(), [](const auto&) { return true; });
    }
  }
}

TEST_F(IndexOpenTest, RandomBytesAreRefusedOrUsable) {
  Random random(cirein::test::Seed());
  const std::uint64_t slots = IndexLayout{log_.segments()}.slot_word(0);
  const std::uint64_t heap = IndexLayout{log_.segments()}.heap();
  for (int round = 0; round < 200; ++round) {
    auto copy = CopyOfRegion();
    for (std::uint64_t at = slots; at < copy->size(); at += 8) copy->StoreWord(at, random());
    // A few that make some sense, so that the walk goes on.
    for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
      const auto log2 = static_cast<unsigned>(random.Below(4));
      copy->StoreWord(slots + slot * 8,
                      random.OneIn(5000)
                          ? TableWord::Of(random(), log2, heap + random.Below(1024) * kLine).word()
                          : 0);
    }
    (void)OpenAndUse(std::move(copy), random);
  }
}

}  // namespace
}  // namespace cirein::dpm::test
