// SPDX-License-Identifier: Apache-2.0
#include "dpm/index.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "dpm/index_fixture.h"
#include "support/seed.h"

namespace cirein::dpm::test {
namespace {

using Outcome = Index::Outcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_F(IndexTest, AnEmptyIndexKnowsNothing) {
  EXPECT_EQ(At(RowKey("a")), 0U);
  EXPECT_EQ(At(ColumnKey("a", "")), 0U);
  EXPECT_TRUE(index_->WalkSlot(1, [](const auto&) { return false; }));
  EXPECT_TRUE(index_->WalkRow(RowKey("a"), 1, [](const auto&) { return false; }));
  EXPECT_EQ(UsedBytes(), 0U);
}

TEST_F(IndexTest, LeadsToTheNewestOfAnObject) {
  const Index::Op one = log_.Object(RowKey("a"), 1);
  const Index::Op two = log_.Object(RowKey("a"), 2);
  const Index::Op three = log_.Gone(RowKey("a"), 3);
  EXPECT_EQ(Apply(two), Outcome::kApplied);
  EXPECT_EQ(Apply(one), Outcome::kStale);
  EXPECT_THAT(Superseded(), IsEmpty());
  EXPECT_EQ(At(RowKey("a")), two.location.offset);
  EXPECT_EQ(Apply(two), Outcome::kRepeated);
  EXPECT_EQ(Apply(three), Outcome::kApplied);
  EXPECT_THAT(Superseded(), ElementsAre(two.location.offset));
  EXPECT_EQ(At(RowKey("a")), three.location.offset);
  EXPECT_EQ(Apply(two), Outcome::kStale);
  EXPECT_TRUE(index_->LeadsTo(three.entry, three.location));
  EXPECT_FALSE(index_->LeadsTo(two.entry, two.location));
  EXPECT_EQ(index_->GetStats().keys, 1U);
}

TEST_F(IndexTest, KeepsSlotsBucketsRowsAndColumnsApart) {
  KeyView other_bucket(Bucket(6), "a");
  const Index::Op ops[] = {
      log_.Object(RowKey("a"), 1),         log_.Object(RowKey("a"), 2, 2),
      log_.Object(other_bucket, 3),        log_.Object(ColumnKey("a", ""), 4),
      log_.Object(ColumnKey("a", "a"), 5), log_.Object(ColumnKey("b", "a"), 6)};
  for (const Index::Op& op : ops) ASSERT_EQ(Apply(op), Outcome::kApplied);
  for (const Index::Op& op : ops)
    EXPECT_EQ(At(op.entry.key(), op.entry.slot()), op.location.offset);
  EXPECT_EQ(At(RowKey("b")), 0U);
  EXPECT_EQ(At(ColumnKey("b", "")), 0U);
  EXPECT_EQ(At(ColumnKey("a", ""), 2), 0U);
  EXPECT_EQ(index_->GetStats().keys, 6U);
  EXPECT_EQ(index_->GetStats().rows, 2U);
}

TEST_F(IndexTest, OneVersionTwiceIsACopyOrAConflict) {
  for (const KeyView& key : {RowKey("a"), ColumnKey("b", "c")}) {
    const Index::Op original = log_.Object(key, 5);
    const Index::Op other = log_.Object(key, 5);
    const Index::Op copy = log_.Copy(original.entry);
    EXPECT_EQ(Apply(original), Outcome::kApplied);
    EXPECT_EQ(Apply(other), Outcome::kConflict);
    EXPECT_THAT(Superseded(), IsEmpty());
    EXPECT_EQ(Apply(copy), Outcome::kApplied);
    EXPECT_THAT(Superseded(), ElementsAre(original.location.offset));
    EXPECT_EQ(Apply(original), Outcome::kStale);
    EXPECT_EQ(Apply(copy), Outcome::kRepeated);
    EXPECT_EQ(At(key), copy.location.offset);
  }
}

TEST_F(IndexTest, ARowEntryHidesWhatIsOlder) {
  const Index::Op object = log_.Object(RowKey("r"), 1);
  const Index::Op old = log_.Object(ColumnKey("r", "old"), 2);
  const Index::Op row = log_.Row("r", 4, 4);
  const Index::Op young = log_.Object(ColumnKey("r", "new"), 5);
  const Index::Op late = log_.Object(ColumnKey("r", "late"), 3);
  for (const Index::Op& op : {object, old, young}) ASSERT_EQ(Apply(op), Outcome::kApplied);
  EXPECT_EQ(Apply(row), Outcome::kApplied);
  EXPECT_THAT(Superseded(), UnorderedElementsAre(object.location.offset, old.location.offset));
  EXPECT_EQ(Apply(late), Outcome::kStale);
  EXPECT_EQ(Apply(object), Outcome::kStale);
  EXPECT_EQ(At(RowKey("r")), 0U);
  EXPECT_EQ(At(ColumnKey("r", "old")), 0U);
  const auto found = index_->Find(ColumnKey("r", "new"), 1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->row_entry.bytes(), row.entry.bytes());
  EXPECT_EQ(index_->GetStats().keys, 1U);

  // Forgotten, it hides nothing any more; the column goes with its row's node.
  EXPECT_TRUE(index_->Forget(row.entry, row.location));
  EXPECT_FALSE(index_->Forget(row.entry, row.location));
  EXPECT_FALSE(index_->Find(ColumnKey("r", "new"), 1)->row_entry);
  EXPECT_TRUE(index_->Forget(young.entry, young.location));
  EXPECT_EQ(UsedBytes(), 0U);
}

TEST_F(IndexTest, ARowEntryThatWasAppliedBeforeStillRemoves) {
  const Index::Op old = log_.Object(ColumnKey("r", "c"), 2);
  const Index::Op row = log_.Row("r", 4, 4);
  ASSERT_EQ(Apply(old), Outcome::kApplied);
  // As a crash between the two steps leaves it: the row entry is there, and the column is, too.
  std::optional<std::uint64_t> node;
  for (std::uint64_t at = IndexLayout{log_.segments()}.heap(); at < region_->size(); at += kLine) {
    RowNode line;
    std::memcpy(&line, region_->data() + at, sizeof line);
    if (line.row_hash == RowKey("r").row_hash && line.bucket == 5) node = at;
  }
  ASSERT_TRUE(node);
  region_->StoreWord(*node + offsetof(RowNode, row_entry), row.location.offset);
  EXPECT_EQ(At(ColumnKey("r", "c")), 0U);
  EXPECT_EQ(index_->GetStats().keys, 1U);
  EXPECT_EQ(Apply(row), Outcome::kRepeated);
  EXPECT_THAT(Superseded(), ElementsAre(old.location.offset));
  EXPECT_EQ(index_->GetStats().keys, 0U);
}

TEST_F(IndexTest, ACellBecomesANodeAndACellAgain) {
  const Index::Op object = log_.Object(RowKey("r"), 1);
  const Index::Op column = log_.Gone(ColumnKey("r", "c"), 2);
  ASSERT_EQ(Apply(object), Outcome::kApplied);
  const std::uint64_t before = UsedBytes();
  ASSERT_EQ(Apply(column), Outcome::kApplied);
  EXPECT_EQ(index_->GetStats().rows, 1U);
  EXPECT_EQ(At(RowKey("r")), object.location.offset);
  EXPECT_FALSE(index_->Forget(column.entry, object.location));
  EXPECT_TRUE(index_->Forget(column.entry, column.location));
  EXPECT_EQ(index_->GetStats().rows, 0U);
  EXPECT_EQ(UsedBytes(), before);
  EXPECT_EQ(At(RowKey("r")), object.location.offset);
}

TEST_F(IndexTest, WalksARowAndASlot) {
  const Index::Op ops[] = {log_.Object(RowKey("a"), 1), log_.Object(RowKey("r"), 2),
                           log_.Row("r", 3, 1), log_.Object(ColumnKey("r", "c"), 4),
                           log_.Gone(ColumnKey("r", "d"), 5)};
  for (const Index::Op& op : ops) ASSERT_EQ(Apply(op), Outcome::kApplied);
  std::vector<std::uint64_t> seen;
  const auto note = [&](const Index::Found& found) {
    seen.push_back(found.location.offset);
    return true;
  };
  EXPECT_TRUE(index_->WalkRow(RowKey("r"), 1, note));
  EXPECT_THAT(
      std::exchange(seen, {}),
      UnorderedElementsAre(ops[1].location.offset, ops[3].location.offset, ops[4].location.offset));
  EXPECT_TRUE(index_->WalkSlot(1, note));
  EXPECT_EQ(seen.size(), 5U);
  int visits = 0;
  EXPECT_FALSE(index_->WalkSlot(1, [&](const auto&) { return ++visits < 2; }));
  EXPECT_EQ(visits, 2);
}

TEST_F(IndexTest, RemembersHowFarSegmentsAreMerged) {
  EXPECT_EQ(index_->merged(3, 1), 0U);
  ASSERT_TRUE(index_->SetMerged(3, 7, 8192).ok());
  EXPECT_EQ(index_->merged(3, 7), 8192U);
  EXPECT_EQ(index_->merged(3, 8), 0U);
  EXPECT_EQ(index_->merged(4, 7), 0U);
  ASSERT_TRUE(index_->SetMerged(3, 7, kSegmentBytes + 1).ok());
  EXPECT_EQ(index_->merged(3, 7), 0U);
  index_->SetLiveBytes(3, 999);
  EXPECT_EQ(index_->live_bytes(3), 999U);
}

// One slot that holds all keys grows far, and shrinks to nothing.
class BigIndexTest : public IndexTest {
 protected:
  BigIndexTest() : IndexTest(512, std::uint64_t{1} << 17) {}
};

TEST_F(BigIndexTest, GrowsAndGivesAllBack) {
  constexpr std::uint64_t kKeys = 100'000;
  std::vector<std::string> names;
  std::vector<Index::Op> ops;
  for (std::uint64_t i = 0; i < kKeys; ++i) names.push_back("key" + std::to_string(i));
  for (const std::string& name : names) ops.push_back(log_.Object(RowKey(name), 1));
  ASSERT_EQ(index_->Apply(ops, {}), kKeys);
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    ASSERT_EQ(ops[i].outcome, Outcome::kApplied);
    ASSERT_EQ(At(RowKey(names[i])), ops[i].location.offset) << names[i];
  }
  EXPECT_LT(UsedBytes(), kKeys * 24);
  EXPECT_GT(index_->GetStats().grown_tables, 10U);
  const auto copy = OpenCopy();
  ASSERT_TRUE(copy.ok()) << copy.status().ToString();
  EXPECT_EQ((*copy)->GetStats().keys, kKeys);
  EXPECT_EQ((*copy)->GetStats().used_bytes, UsedBytes());
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(index_->Forget(ops[i].entry, ops[i].location));
    if (i == kKeys - 100) {
      EXPECT_LT(UsedBytes(), 100 * 24 * kLine / 8);
    }
  }
  EXPECT_EQ(UsedBytes(), 0U);
}

TEST_F(BigIndexTest, LongAndShortNames) {
  const std::string longest(kMaxRowBytes, 'x');
  const std::string shorter(kMaxRowBytes - 1, 'x');
  std::vector<Index::Op> ops;
  for (const std::string& name : {longest, shorter, std::string("x"), std::string(16, 'x'),
                                  std::string(17, 'x'), std::string("\0\0", 2)}) {
    ops.push_back(log_.Object(ColumnKey(name, name), 1));
    ops.push_back(log_.Object(RowKey(name), 2));
  }
  for (const Index::Op& op : ops) ASSERT_EQ(Apply(op), Outcome::kApplied);
  for (const Index::Op& op : ops) EXPECT_EQ(At(op.entry.key()), op.location.offset);
  ASSERT_TRUE(OpenCopy().ok());
  for (const Index::Op& op : ops) EXPECT_TRUE(index_->Forget(op.entry, op.location));
  EXPECT_EQ(UsedBytes(), 0U);
}

TEST_F(BigIndexTest, ManyColumnsGoWithOneRowEntry) {
  constexpr std::uint64_t kColumns = 100'000;
  std::vector<Index::Op> ops;
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < kColumns; ++i) names.push_back(std::to_string(i));
  for (const std::string& name : names) ops.push_back(log_.Object(ColumnKey("r", name), 1));
  const Index::Op kept = log_.Object(ColumnKey("r", "kept"), 9);
  ASSERT_EQ(index_->Apply(ops, {}), kColumns);
  ASSERT_EQ(Apply(kept), Outcome::kApplied);
  EXPECT_EQ((*OpenCopy())->GetStats().keys, kColumns + 1);
  const Index::Op row = log_.Row("r", 5, 5);
  ASSERT_EQ(Apply(row), Outcome::kApplied);
  EXPECT_EQ(Superseded().size(), kColumns);
  EXPECT_EQ(index_->GetStats().keys, 1U);
  EXPECT_LE(UsedBytes(), 4 * kLine);
  EXPECT_EQ(At(ColumnKey("r", "kept")), kept.location.offset);
  const Index::Op all = log_.Row("r", 10, 10);
  ASSERT_EQ(Apply(all), Outcome::kApplied);
  EXPECT_THAT(Superseded(), UnorderedElementsAre(row.location.offset, kept.location.offset));
  EXPECT_TRUE(index_->Forget(all.entry, all.location));
  EXPECT_EQ(UsedBytes(), 0U);
}

// A heap of a few lines: growing is not possible for long, then nothing is.
class TinyIndexTest : public IndexTest {
 protected:
  TinyIndexTest() : IndexTest(64, 24) {}
};

TEST_F(TinyIndexTest, ChainsWhenItCannotGrowAndSaysWhenItIsFull) {
  std::vector<std::string> names;
  std::vector<Index::Op> ops;
  for (int i = 0; i < 1000; ++i) names.push_back(std::to_string(i));
  for (const std::string& name : names) ops.push_back(log_.Object(RowKey(name), 1));
  const std::size_t done = index_->Apply(ops, {});
  ASSERT_LT(done, ops.size());
  EXPECT_EQ(ops[done].outcome, Outcome::kNoSpace);
  EXPECT_GT(done, 24U * 4);
  EXPECT_EQ(UsedBytes(), 24 * kLine);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    ASSERT_EQ(At(RowKey(names[i])), i < done ? ops[i].location.offset : 0) << i;
  }
  // What is there can be overwritten and dropped; a row that needs a node cannot be had.
  const Index::Op over = log_.Gone(RowKey("0"), 2);
  EXPECT_EQ(Apply(over), Outcome::kApplied);
  EXPECT_EQ(Apply(log_.Object(ColumnKey("0", "c"), 3)), Outcome::kNoSpace);
  EXPECT_EQ(Apply(log_.Row("1", 3, 3)), Outcome::kNoSpace);
  EXPECT_EQ(At(RowKey("0")), over.location.offset);
  EXPECT_EQ(UsedBytes(), 24 * kLine);
  ASSERT_TRUE(OpenCopy().ok());
  EXPECT_TRUE(index_->Forget(over.entry, over.location));
  for (std::size_t i = 1; i < done; ++i) {
    ASSERT_TRUE(index_->Forget(ops[i].entry, ops[i].location));
  }
  EXPECT_EQ(UsedBytes(), 0U);
}

// Every entry that could not be applied leaves nothing behind, whichever allocation it was that
// failed.
TEST_F(TinyIndexTest, NothingLeaksWhereTheHeapEnds) {
  for (int slot = 1; slot < 25; ++slot) {
    const Index::Op op = log_.Object(RowKey("fill"), 1, static_cast<std::uint16_t>(slot + 100));
    const std::uint64_t used = UsedBytes();
    const std::uint64_t keys = index_->GetStats().keys;
    const Index::Op column = log_.Object(ColumnKey("r", "c"), 1);
    if (Apply(column) == Outcome::kApplied) {
      EXPECT_TRUE(index_->Forget(column.entry, column.location));
    }
    const Index::Op row = log_.Row("r", 1, 1);
    if (Apply(row) == Outcome::kApplied) {
      EXPECT_TRUE(index_->Forget(row.entry, row.location));
    }
    EXPECT_EQ(UsedBytes(), used);
    EXPECT_EQ(index_->GetStats().keys, keys);
    EXPECT_EQ(index_->GetStats().rows, 0U);
    ASSERT_EQ(Apply(op), Outcome::kApplied);
  }
}

// ---- Against a model
// -----------------------------------------------------------------------------

using CellName = std::tuple<std::string, bool, std::string>;  // Row, has a column, column.

// All that was applied, and what must be found then: a pure function of the set.
class Model {
 public:
  void Add(const Index::Op& op) {
    const EntryView& entry = op.entry;
    const CellName name{entry.row(), entry.has_column(), entry.column()};
    if (entry.kind() == EntryKind::kRow) {
      rows_[std::string(entry.row())].push_back(op);
    } else {
      cells_[name].push_back(op);
    }
  }
  void ExpectSameAs(const Index& index) const {
    std::set<std::uint64_t> live;
    for (const auto& [row, ops] : rows_) {
      for (const Index::Op& op : Newest(ops)) {
        if (index.LeadsTo(op.entry, op.location)) live.insert(op.location.offset);
      }
    }
    ASSERT_EQ(live.size(), rows_.size());
    for (const auto& [name, ops] : cells_) {
      const auto& [row, has_column, column] = name;
      const auto found = index.Find(has_column ? ColumnKey(row, column) : RowKey(row), 1);
      const std::vector<Index::Op> newest = Newest(ops);
      if (newest[0].entry.version() < HideBelow(row)) {
        ASSERT_FALSE(found) << row << "|" << column;
        continue;
      }
      ASSERT_TRUE(found) << row << "|" << column;
      const bool one_of_them = std::any_of(newest.begin(), newest.end(), [&](const auto& op) {
        return op.location == found->location;
      });
      ASSERT_TRUE(one_of_them) << row << "|" << column;
      ASSERT_EQ(bool(found->row_entry), rows_.contains(row));
      live.insert(found->location.offset);
    }
    std::set<std::uint64_t> walked;
    index.WalkSlot(1, [&](const Index::Found& found) {
      EXPECT_TRUE(walked.insert(found.location.offset).second);
      return true;
    });
    ASSERT_EQ(walked, live);
    ASSERT_EQ(index.GetStats().keys, live.size() - rows_.size());
    live_ = live;
  }
  const std::set<std::uint64_t>& live() const { return live_; }

 private:
  // Those of the highest version; only copies, if there are any.
  static std::vector<Index::Op> Newest(const std::vector<Index::Op>& ops) {
    Version highest;
    for (const Index::Op& op : ops) highest = std::max(highest, op.entry.version());
    std::vector<Index::Op> newest;
    std::vector<Index::Op> copies;
    for (const Index::Op& op : ops) {
      if (op.entry.version() != highest) continue;
      (op.entry.has(kCopied) ? copies : newest).push_back(op);
    }
    return copies.empty() ? newest : copies;
  }
  Version HideBelow(const std::string& row) const {
    const auto found = rows_.find(row);
    return found == rows_.end() ? Version{} : Newest(found->second)[0].entry.hide_below();
  }

  std::map<CellName, std::vector<Index::Op>> cells_;
  std::map<std::string, std::vector<Index::Op>> rows_;
  mutable std::set<std::uint64_t> live_;
};

// Entries of a few rows in the order of their versions, with copies of some.
std::vector<Index::Op> RandomHistory(Log& log, Random& random, std::uint64_t entries) {
  const std::uint64_t rows = 1 + random.Below(12);
  const std::uint64_t columns = 1 + random.Below(random.OneIn(2) ? 5 : 200);
  std::vector<std::uint64_t> hide(rows, 0);
  std::vector<Index::Op> ops;
  for (std::uint64_t version = 1; ops.size() < entries; ++version) {
    const std::uint64_t which = random.Below(rows);
    const std::string row(1 + which * 9, static_cast<char>('a' + which));
    const std::string column = std::to_string(random.Below(columns));
    const KeyView key = random.OneIn(4) ? RowKey(row) : ColumnKey(row, column);
    Index::Op op;
    if (random.OneIn(20)) {
      if (random.OneIn(2)) hide[which] = std::max(hide[which], version - random.Below(version));
      op = log.Row(row, version, hide[which]);
    } else {
      op = random.OneIn(4) ? log.Gone(key, version) : log.Object(key, version);
    }
    ops.push_back(op);
    while (random.OneIn(4)) ops.push_back(log.Copy(op.entry));
  }
  return ops;
}

void Shuffle(std::vector<Index::Op>& ops, Random& random) {
  for (std::size_t i = ops.size(); i > 1; --i) std::swap(ops[i - 1], ops[random.Below(i)]);
}

TEST_F(IndexTest, TheOrderOfApplicationDoesNotMatter) {
  const std::uint64_t seed = cirein::test::Seed();
  for (std::uint64_t round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    Random random(seed + round);
    log_.Restart();
    Format();
    std::vector<Index::Op> ops = RandomHistory(log_, random, 1 + random.Below(2000));
    if (!random.OneIn(4)) Shuffle(ops, random);
    Model model;
    std::multiset<std::uint64_t> dead;
    std::set<std::uint64_t> known;
    const auto superseded = [&](Location location, const EntryView& entry) {
      EXPECT_EQ(entry.bytes(), log_.bytes() + location.offset);
      dead.insert(location.offset);
    };
    for (std::size_t first = 0; first < ops.size();) {
      const std::size_t count = std::min<std::size_t>(ops.size() - first, 1 + random.Below(300));
      const std::span<Index::Op> some(ops.data() + first, count);
      ASSERT_EQ(index_->Apply(some, superseded), count);
      for (const Index::Op& op : some) {
        ASSERT_NE(op.outcome, Outcome::kConflict);
        ASSERT_NE(op.outcome, Outcome::kRepeated);
        if (op.outcome == Outcome::kStale) dead.insert(op.location.offset);
        known.insert(op.location.offset);
        model.Add(op);
      }
      first += count;
      ASSERT_NO_FATAL_FAILURE(model.ExpectSameAs(*index_));
      // Each entry is either live, or was said to be dead exactly once.
      ASSERT_EQ(dead.size() + model.live().size(), known.size());
      for (const std::uint64_t offset : dead) ASSERT_FALSE(model.live().contains(offset));
      // Applying everything again changes nothing.
      std::vector<Index::Op> again(ops.begin(), ops.begin() + static_cast<std::ptrdiff_t>(first));
      if (!random.OneIn(4)) continue;
      std::erase_if(again, [&](const Index::Op& op) {
        return op.entry.has(kCopied) && !model.live().contains(op.location.offset);
      });
      ASSERT_EQ(index_->Apply(again, [](Location, const EntryView&) { FAIL(); }), again.size());
      ASSERT_NO_FATAL_FAILURE(model.ExpectSameAs(*index_));
    }
    auto opened = OpenCopy();
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    ASSERT_NO_FATAL_FAILURE(model.ExpectSameAs(**opened));
    ASSERT_EQ((*opened)->GetStats().rows, index_->GetStats().rows);
    ASSERT_EQ((*opened)->GetStats().used_bytes, UsedBytes());
    // Taken out in any order, nothing is left.
    for (std::vector<Index::Op> rest = ops; !rest.empty(); rest.pop_back()) {
      (void)index_->Forget(rest.back().entry, rest.back().location);
    }
    ASSERT_EQ(UsedBytes(), 0U);
    ASSERT_EQ(index_->GetStats().keys, 0U);
    ASSERT_EQ(index_->GetStats().rows, 0U);
  }
}

// Growing, overwriting, forgetting and growing again, many times, in a heap with little to spare.
TEST_F(IndexTest, SteadyChangeLeaksNothing) {
  Random random(cirein::test::Seed());
  std::uint64_t version = 0;
  std::uint64_t most = 0;
  for (int round = 0; round < 40; ++round) {
    log_.Restart();
    std::vector<Index::Op> ops;
    for (int i = 0; i < 3000; ++i) {
      const std::string row = "row" + std::to_string(random.Below(400));
      const std::string column = std::to_string(random.Below(50));
      const auto slot = static_cast<std::uint16_t>(Hash64(row) % 3);
      const KeyView key = random.OneIn(2) ? RowKey(row) : ColumnKey(row, column);
      ops.push_back(random.OneIn(50) ? log_.Row(row, version, version, slot)
                                     : log_.Object(key, version, slot));
      ++version;
    }
    ASSERT_EQ(index_->Apply(ops, {}), ops.size()) << round;
    const std::uint64_t used = UsedBytes();
    if (round < 5) most = std::max(most, used);
    ASSERT_LT(used, most + most / 2) << round;
    for (const Index::Op& op : ops) (void)index_->Forget(op.entry, op.location);
    ASSERT_EQ(UsedBytes(), 0U);
  }
}

}  // namespace
}  // namespace cirein::dpm::test
