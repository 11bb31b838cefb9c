// SPDX-License-Identifier: Apache-2.0
#include "node/key_cache.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "support/objects.h"
#include "support/seed.h"

namespace cirein::node {
namespace {

using test::MakeObject;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::uint32_t kSlots = 16;
constexpr std::uint64_t kBudgetBytes = std::uint64_t{1} << 20;
constexpr std::size_t kAll = SIZE_MAX;

class KeyCacheTest : public testing::Test {
 protected:
  static KeyView View(std::string_view row) { return {Bucket(1), row}; }

  CacheRecord* Find(const std::string& row) {
    const KeyView key = View(row);
    return cache_.Find(key, KeyCache::HashOf(key));
  }
  CacheRecord* Write(const std::string& row, std::uint16_t slot, std::uint64_t ordinal) {
    const KeyView key = View(row);
    CacheRecord* const record = cache_.FindOrMake(key, KeyCache::HashOf(key), slot);
    record->gone = false;
    record->passing = false;
    cache_.SetValue(record, MakeObject(row), garbage_);
    cache_.SetUnmerged(record, ordinal);
    return record;
  }
  CacheRecord* Drop(const std::string& row, std::uint16_t slot, std::uint64_t ordinal) {
    const KeyView key = View(row);
    CacheRecord* const record = cache_.FindOrMake(key, KeyCache::HashOf(key), slot);
    record->gone = true;
    record->passing = false;
    cache_.SetValue(record, DataObject(), garbage_);
    cache_.SetUnmerged(record, ordinal);
    return record;
  }
  std::vector<std::string> Unmerged(std::uint16_t slot) {
    std::vector<std::string> rows;
    for (CacheRecord* own = cache_.FirstUnmerged(slot); own != nullptr;
         own = cache_.NextUnmerged(own)) {
      rows.emplace_back(own->row());
    }
    return rows;
  }
  void Merge(std::uint64_t ordinal, std::size_t max_writes = kAll) {
    cache_.Merged(ordinal, max_writes, garbage_);
  }

  Garbage garbage_;
  KeyCache cache_{kBudgetBytes, kSlots, std::make_unique<ClockPolicy>(kBudgetBytes)};
};

TEST_F(KeyCacheTest, TellsKeysOfOneHashApart) {
  constexpr std::uint64_t kHash = 42;
  const std::string names[] = {"a", "b", "c"};
  std::vector<CacheRecord*> made;
  for (const std::string& name : names) made.push_back(cache_.FindOrMake(View(name), kHash, 0));
  for (std::size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(cache_.Find(View(names[i]), kHash), made[i]);
    EXPECT_EQ(made[i]->row(), names[i]);
  }
  EXPECT_EQ(cache_.Find(View("d"), kHash), nullptr);
  EXPECT_EQ(cache_.Find(View("a"), kHash + 8), nullptr);  // The same place among recent ones.
}

TEST_F(KeyCacheTest, ForgetsWhatWasErasedAlsoAmongRecentOnes) {
  CacheRecord* const record = Write("a", 0, 1);
  Write("b", 0, 2);
  Merge(2);
  ASSERT_EQ(Find("a"), record);
  cache_.Erase(record, garbage_);
  EXPECT_EQ(Find("a"), nullptr);
  EXPECT_NE(Find("b"), nullptr);
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(KeyCacheTest, MergedWritesLeaveTheirSlot) {
  EXPECT_THAT(Unmerged(5), IsEmpty());
  EXPECT_FALSE(cache_.HasUnmerged(5));
  Write("a", 5, 1);
  Write("other", 6, 2);
  Write("b", 5, 3);
  Write("c", 5, 4);
  EXPECT_THAT(Unmerged(5), ElementsAre("c", "b", "a"));
  Merge(3);
  EXPECT_TRUE(cache_.HasUnmerged(5));
  EXPECT_FALSE(cache_.HasUnmerged(6));
  EXPECT_THAT(Unmerged(5), ElementsAre("c"));
  Write("a", 5, 5);
  EXPECT_THAT(Unmerged(5), ElementsAre("a", "c"));
  Merge(5);
  EXPECT_THAT(Unmerged(5), IsEmpty());
  EXPECT_FALSE(cache_.HasUnmerged(5));
}

TEST_F(KeyCacheTest, AnOverwriteKeepsItsPlaceAmongWrites) {
  Write("a", 1, 1);
  Write("b", 1, 2);
  Merge(2);  // Nobody has come by: both still stand there.
  Write("a", 1, 3);
  EXPECT_THAT(Unmerged(1), ElementsAre("a"));
  EXPECT_FALSE(cache_.IsUnmerged(*Find("b")));
}

TEST_F(KeyCacheTest, WhatIsErasedLeavesItsSlot) {
  for (const char* const erased : {"a", "b", "c"}) {
    const std::uint64_t first = 10 * static_cast<std::uint64_t>(*erased);
    Write("a", 3, first);
    Write("b", 3, first + 1);
    Write("c", 3, first + 2);
    Merge(first + 2);
    cache_.Erase(Find(erased), garbage_);
    Write("d", 3, first + 3);
    EXPECT_THAT(Unmerged(3), ElementsAre("d"));
    for (const char* const row : {"a", "b", "c"}) {
      EXPECT_EQ(Find(row) != nullptr, std::string_view(row) != erased) << row;
    }
  }
}

TEST_F(KeyCacheTest, WhatIsGoneGoesOnceItIsMerged) {
  // As a row of many columns that is dropped: all by one entry.
  for (char name = 'a'; name < 'g'; ++name) Drop(std::string(1, name), 2, 7);
  Merge(6);
  EXPECT_EQ(cache_.size(), 6U);
  Merge(7, 4);
  EXPECT_EQ(cache_.size(), 2U);
  // The others are not done with yet, and so count as unmerged.
  EXPECT_THAT(Unmerged(2), UnorderedElementsAre("e", "f"));
  Write("a", 2, 8);
  Merge(8, 4);
  EXPECT_EQ(cache_.size(), 1U);
  EXPECT_THAT(Unmerged(2), IsEmpty());
}

TEST_F(KeyCacheTest, AnObjectAfterADropStays) {
  Drop("a", 0, 1);
  Write("a", 0, 2);
  Merge(1);
  EXPECT_THAT(Unmerged(0), ElementsAre("a"));
  Merge(2);
  ASSERT_NE(Find("a"), nullptr);
  EXPECT_EQ(Find("a")->value.text(), "a");
}

TEST_F(KeyCacheTest, AValueThatPassesGoesOnceItIsMerged) {
  const std::string name = "a";
  const KeyView key = View(name);
  CacheRecord* const record = cache_.FindOrMake(key, KeyCache::HashOf(key), 0);
  cache_.SetValue(record, MakeObject("passing"), garbage_);
  record->passing = true;
  cache_.SetUnmerged(record, 1);
  Merge(0);
  EXPECT_FALSE(record->value.is_null());
  Merge(1);
  EXPECT_TRUE(record->value.is_null());
  EXPECT_EQ(Find("a"), record);
}

TEST_F(KeyCacheTest, WhatIsUnmergedStaysBeyondTheBudget) {
  KeyCache small(0, kSlots, std::make_unique<ClockPolicy>(0));
  const std::string name = "a";
  const KeyView key = View(name);
  CacheRecord* const record = small.FindOrMake(key, KeyCache::HashOf(key), 0);
  small.SetUnmerged(record, 1);
  for (int i = 0; i < 4; ++i) small.Shrink(0, garbage_);
  EXPECT_EQ(small.size(), 1U);
  small.Merged(1, kAll, garbage_);
  for (int i = 0; i < 4; ++i) small.Shrink(1, garbage_);
  EXPECT_EQ(small.size(), 0U);
  EXPECT_FALSE(small.HasUnmerged(0));
  EXPECT_EQ(small.FirstUnmerged(0), nullptr);
}

TEST_F(KeyCacheTest, DoesWhatTheModelDoes) {
  Random random(test::Seed());
  struct Model {
    std::uint16_t slot = 0;
    std::uint64_t ordinal = 0;
    bool gone = false;
  };
  std::map<std::string, Model> model;
  std::uint64_t written = 0;
  std::uint64_t merged = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::string name = "k" + std::to_string(random.Below(60));
    const auto slot = static_cast<std::uint16_t>(KeyCache::HashOf(View(name)) % kSlots);
    switch (random.Below(4)) {
      case 0:
        Drop(name, slot, ++written);
        model[name] = {slot, written, true};
        break;
      case 1:
        merged += random.Below(written - merged + 1);
        Merge(merged);
        std::erase_if(model, [&](const auto& each) {
          return each.second.gone && each.second.ordinal <= merged;
        });
        break;
      case 2:
        if (CacheRecord* const record = Find(name)) {
          if (cache_.IsUnmerged(*record)) break;
          cache_.Erase(record, garbage_);
          model.erase(name);
        }
        break;
      default:
        Write(name, slot, ++written);
        model[name] = {slot, written, false};
    }
    garbage_.clear();
    ASSERT_EQ(cache_.size(), model.size());
    if (step % 16 != 0) continue;
    for (std::uint16_t each = 0; each < kSlots; ++each) {
      std::vector<std::string> expected;
      for (const auto& [row, of_row] : model) {
        if (of_row.slot == each && of_row.ordinal > merged) expected.push_back(row);
      }
      ASSERT_TRUE(expected.empty() || cache_.HasUnmerged(each));
      ASSERT_THAT(Unmerged(each), testing::UnorderedElementsAreArray(expected));
    }
    for (const auto& [row, of_row] : model) ASSERT_NE(Find(row), nullptr) << row;
  }
}

}  // namespace
}  // namespace cirein::node
