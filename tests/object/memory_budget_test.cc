// SPDX-License-Identifier: Apache-2.0
#include "object/memory_budget.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "runtime/thread_group.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

TEST(MemoryBudget, WithoutLimitRefusesNothing) {
  MemoryBudget budget(0, 4);
  EXPECT_FALSE(budget.limited());
  MemoryCredit credit(budget);
  EXPECT_TRUE(credit.Take(UINT64_MAX / 2));
  EXPECT_EQ(credit.used(), UINT64_MAX / 2);
  credit.Give(UINT64_MAX / 2);
  EXPECT_EQ(credit.used(), 0U);
}

TEST(MemoryBudget, GivesAllOfItAndNoMore) {
  MemoryBudget budget(1000, 1);
  EXPECT_TRUE(budget.limited());
  MemoryCredit credit(budget);
  EXPECT_FALSE(credit.Take(1001));
  EXPECT_EQ(credit.used(), 0U);
  EXPECT_TRUE(credit.Take(1000));
  EXPECT_FALSE(credit.Take(1));
  credit.Give(1);
  EXPECT_TRUE(credit.Take(1));
  EXPECT_FALSE(credit.Take(UINT64_MAX));  // Must not overflow.
}

TEST(MemoryBudget, IsFreeAgainWhenACreditEnds) {
  MemoryBudget budget(1000, 2);
  MemoryCredit other(budget);
  {
    MemoryCredit credit(budget);
    EXPECT_TRUE(credit.Take(900));
    EXPECT_FALSE(other.Take(500));
  }
  EXPECT_TRUE(other.Take(1000));
}

// What a partition holds back for later must not make the others full early by more than is said.
TEST(MemoryBudget, HoldsBackAtMostTheStatedPart) {
  constexpr std::uint64_t kLimit = 1 << 20;
  constexpr std::uint32_t kPartitions = 64;
  Random random(test::Seed());
  MemoryBudget budget(kLimit, kPartitions);
  std::vector<std::unique_ptr<MemoryCredit>> credits;
  for (std::uint32_t i = 0; i < kPartitions; ++i) {
    credits.push_back(std::make_unique<MemoryCredit>(budget));
  }
  std::uint64_t used = 0;
  for (int i = 0; i < 100'000; ++i) {
    MemoryCredit& credit = *credits[random.Below(kPartitions)];
    if (random.OneIn(3) && credit.used() > 0) {
      const std::uint64_t bytes = 1 + random.Below(credit.used());
      credit.Give(bytes);
      used -= bytes;
      continue;
    }
    const std::uint64_t bytes = random.Below(2000);
    if (credit.Take(bytes)) {
      used += bytes;
      ASSERT_LE(used, kLimit);
    } else {
      ASSERT_GT(used + bytes, kLimit - kLimit / 32) << "full too early";
    }
  }
}

TEST(MemoryBudget, IsNeverOverdrawnByManyThreads) {
  constexpr std::uint64_t kLimit = 1 << 20;
  MemoryBudget budget(kLimit, 4);
  std::atomic<std::uint64_t> used{0};
  std::atomic<bool> overdrawn{false};
  ASSERT_OK(RunThreads(4, "budget", [&](std::size_t index) {
    Random random(index);
    MemoryCredit credit(budget);
    for (int i = 0; i < 20'000; ++i) {
      const std::uint64_t bytes = random.Below(100'000);
      if (!credit.Take(bytes)) continue;
      if (used.fetch_add(bytes) + bytes > kLimit) overdrawn = true;
      used.fetch_sub(bytes);
      credit.Give(bytes);
    }
    return OkStatus();
  }));
  EXPECT_FALSE(overdrawn);
  MemoryCredit all(budget);
  EXPECT_TRUE(all.Take(kLimit)) << "something was not given back";
}

}  // namespace
}  // namespace cirein
