// SPDX-License-Identifier: Apache-2.0
#include "object/row_table.h"

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace cirein {
namespace {

const Bucket kBucket{7};

// A view whose hash the test chooses.
KeyView At(std::uint64_t hash, std::string_view name, Bucket bucket = kBucket) {
  KeyView view(bucket, name);
  view.row_hash = hash;
  return view;
}

std::vector<std::string> Walk(const RowTable& table) {
  std::vector<std::string> names;
  for (const Row* row = table.Seek({}); row != nullptr; row = table.Next(row)) {
    names.emplace_back(row->name());
  }
  return names;
}

TEST(RowTable, FindsWhatWasInserted) {
  RowTable table(0);
  EXPECT_EQ(table.Find(KeyView(kBucket, "row")), nullptr);
  Row* row = table.Insert(KeyView(kBucket, "row"));
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->name(), "row");
  EXPECT_TRUE(row->empty());
  EXPECT_EQ(table.Find(KeyView(kBucket, "row")), row);
  EXPECT_EQ(table.Find(KeyView(Bucket(8), "row")), nullptr);
  EXPECT_EQ(table.Find(KeyView(kBucket, "ro")), nullptr);
  EXPECT_EQ(table.size(), 1U);
  table.Erase(row);
  EXPECT_EQ(table.Find(KeyView(kBucket, "row")), nullptr);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.Seek({}), nullptr);
}

TEST(RowTable, KeepsRowsOfOneHashApartAndInOrder) {
  RowTable table(0);
  constexpr std::uint64_t kHash = 0x8000'0000'0000'0001;
  for (const char* name : {"m", "a", "z", "b", ""}) table.Insert(At(kHash, name));
  table.Insert(At(kHash, "a", Bucket(3)));
  table.Insert(At(kHash - 1, "zz"));
  EXPECT_EQ(Walk(table), (std::vector<std::string>{"zz", "a", "", "a", "b", "m", "z"}));
  Row* row = table.Find(At(kHash, "b"));
  ASSERT_NE(row, nullptr);
  table.Erase(row);
  EXPECT_EQ(table.Find(At(kHash, "b")), nullptr);
  EXPECT_EQ(table.Find(At(kHash, "m"))->name(), "m");
  EXPECT_EQ(table.Seek({kHash, kBucket, "b"})->name(), "m");
  EXPECT_EQ(table.Seek({kHash, Bucket(3), "a"})->bucket, Bucket(3));
  EXPECT_EQ(table.Seek({kHash, kBucket, "zz"}), nullptr);
}

TEST(RowTable, TakesTheExtremesOfTheHash) {
  for (const unsigned skip_bits : {0U, 6U, 10U}) {
    RowTable table(skip_bits);
    table.Insert(At(UINT64_MAX, "last"));
    table.Insert(At(UINT64_MAX << (64 - 10), "first") /* same top bits */);
    EXPECT_EQ(Walk(table), (std::vector<std::string>{"first", "last"}));
    EXPECT_EQ(table.Seek({UINT64_MAX, kBucket, "last"})->name(), "last");
    EXPECT_EQ(table.Seek({UINT64_MAX, kBucket, "lasu"}), nullptr);
  }
}

TEST(RowTable, CountsWhatARowCosts) {
  EXPECT_GE(RowTable::RowBytes(0), sizeof(Row));
  EXPECT_EQ(RowTable::RowBytes(100), RowTable::RowBytes(0) + 100);
}

// Walks in table order while rows come and go, the table grows and shrinks: a row that is there
// during the whole walk is met exactly once, and hashes never go down.
class RowTableWalk : public testing::TestWithParam<unsigned> {};

TEST_P(RowTableWalk, MeetsEachRowOnceWhileOthersComeAndGo) {
  Random random(test::Seed());
  const unsigned skip_bits = GetParam();
  RowTable table(skip_bits);
  using Place = std::tuple<std::uint64_t, std::string>;
  std::map<Place, Row*> rows;
  const auto insert = [&](bool collide) {
    const std::uint64_t top = skip_bits == 0 ? 0 : std::uint64_t{1} << (64 - skip_bits);
    const std::uint64_t hash = top | ((collide ? random.Below(8) << 40 : random()) >> skip_bits);
    const std::string name = std::to_string(random.Below(1'000'000));
    if (rows.contains({hash, name})) return;
    rows[{hash, name}] = table.Insert(At(hash, name));
  };
  for (int i = 0; i < 2000; ++i) insert(i % 4 == 0);

  const std::set<Place> before = [&] {
    std::set<Place> places;
    for (const auto& [place, row] : rows) places.insert(place);
    return places;
  }();
  std::set<Place> removed;
  std::set<Place> met;
  Place position{0, ""};
  // A listing: pages of a few rows, each sought anew by place.
  for (;;) {
    const Row* row = table.Seek({std::get<0>(position), kBucket, std::get<1>(position)});
    for (int i = 0; i < 5 && row != nullptr; ++i, row = table.Next(row)) {
      const Place place{row->hash, std::string(row->name())};
      ASSERT_GE(place, position);
      ASSERT_TRUE(met.insert(place).second) << "met twice";
      position = place;
    }
    if (row == nullptr) break;
    position = {row->hash, std::string(row->name())};
    // First many come, so that the table grows, then nearly all go, so that it shrinks.
    const bool grow = met.size() < 1000;
    for (int i = 0; i < 12; ++i) {
      if (grow || random.OneIn(4)) {
        insert(random.OneIn(4));
      } else if (!rows.empty()) {
        auto victim = rows.lower_bound({random(), ""});
        if (victim == rows.end()) victim = rows.begin();
        removed.insert(victim->first);
        table.Erase(victim->second);
        rows.erase(victim);
      }
    }
    ASSERT_EQ(table.size(), rows.size());
  }
  for (const Place& place : before) {
    EXPECT_TRUE(removed.contains(place) || met.contains(place));
  }
  for (const auto& [place, row] : rows) {
    EXPECT_EQ(table.Find(At(std::get<0>(place), std::get<1>(place))), row) << "a row moved";
  }
}

INSTANTIATE_TEST_SUITE_P(SkipBits, RowTableWalk, testing::Values(0U, 1U, 6U, 10U));

TEST(RowTable, ShrinksWhenItIsEmptied) {
  RowTable table(0);
  for (int round = 0; round < 3; ++round) {
    std::vector<Row*> rows;
    for (int i = 0; i < 5000; ++i) {
      rows.push_back(table.Insert(KeyView(kBucket, std::to_string(i))));
    }
    while (!rows.empty()) {
      table.Erase(rows.back());
      rows.pop_back();
      ASSERT_EQ(table.Find(KeyView(kBucket, "0")) == nullptr, rows.empty());
    }
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.Seek({}), nullptr);
  }
}

}  // namespace
}  // namespace cirein
