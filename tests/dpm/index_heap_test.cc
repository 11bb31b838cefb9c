// SPDX-License-Identifier: Apache-2.0
#include "dpm/index_heap.h"

#include <bit>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dpm/index_bits.h"
#include "support/seed.h"

namespace cirein::dpm {
namespace {

TEST(IndexBits, FindsTheLowest) {
  const std::uint64_t seed = test::Seed();
  for (const std::uint64_t size : {1U, 63U, 64U, 65U, 4096U, 4097U, 300'000U}) {
    Random random(seed);
    IndexBits bits(size);
    std::set<std::uint64_t> model;
    for (int i = 0; i < 2000; ++i) {
      const std::uint64_t number = random.Below(size);
      if (random.OneIn(2)) {
        bits.Insert(number);
        model.insert(number);
      } else if (!model.empty()) {
        const std::uint64_t gone = random.OneIn(2) ? number : *model.begin();
        bits.Erase(gone);
        model.erase(gone);
      }
      ASSERT_EQ(bits.Test(number), model.contains(number));
      ASSERT_EQ(bits.Lowest().has_value(), !model.empty());
      if (!model.empty()) {
        ASSERT_EQ(*bits.Lowest(), *model.begin());
      }
    }
    EXPECT_FALSE(bits.Test(size));
  }
  EXPECT_FALSE(IndexBits(0).Lowest());
}

TEST(IndexHeap, GivesRunsThatDoNotOverlapAndGrowTogetherAgain) {
  const std::uint64_t seed = test::Seed();
  for (const std::uint64_t lines : {0U, 1U, 2U, 7U, 64U, 1000U, 4096U, 70'001U}) {
    Random random(seed + lines);
    IndexHeap heap(lines);
    EXPECT_EQ(heap.used(), lines);
    EXPECT_FALSE(heap.Allocate(1));
    heap.Free(0, lines);
    EXPECT_EQ(heap.used(), 0U);
    std::map<std::uint64_t, std::uint64_t> runs;  // First line to length.
    std::uint64_t used = 0;
    for (int i = 0; i < 5000; ++i) {
      if (runs.empty() || random.OneIn(2)) {
        const std::uint64_t wanted = random.OneIn(3) ? 1 : 1 + random.Below(lines / 8 + 2);
        const auto first = heap.Allocate(wanted);
        if (!first) continue;
        ASSERT_LE(*first + wanted, lines);
        if (std::has_single_bit(wanted)) {
          ASSERT_EQ(*first % wanted, 0U);
        }
        const auto next = runs.lower_bound(*first);
        if (next != runs.end()) {
          ASSERT_LE(*first + wanted, next->first);
        }
        if (next != runs.begin()) {
          ASSERT_LE(std::prev(next)->first + std::prev(next)->second, *first);
        }
        runs.emplace(*first, wanted);
        used += wanted;
      } else {
        const auto run = random.OneIn(2) ? runs.begin() : std::prev(runs.end());
        // In two pieces, as a table with a tail may be.
        const std::uint64_t part = random.Below(run->second + 1);
        heap.Free(run->first, part);
        heap.Free(run->first + part, run->second - part);
        used -= run->second;
        runs.erase(run);
      }
      ASSERT_EQ(heap.used(), used);
    }
    for (const auto& [first, count] : runs) heap.Free(first, count);
    EXPECT_EQ(heap.used(), 0U);
    // The largest block there can be is in one piece again.
    if (lines == 0) continue;
    EXPECT_EQ(heap.Allocate(std::bit_floor(lines)), std::optional<std::uint64_t>(0));
    EXPECT_FALSE(heap.Allocate(0));
    EXPECT_FALSE(heap.Allocate(lines + 1));
    EXPECT_FALSE(heap.Allocate(UINT64_MAX));
  }
}

}  // namespace
}  // namespace cirein::dpm
