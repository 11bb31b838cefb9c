// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <algorithm>
#include <array>
#include <random>

#include <gtest/gtest.h>

#include "support/seed.h"

namespace cirein {
namespace {

static_assert(std::uniform_random_bit_generator<Random>);

TEST(RandomTest, SplitMixIsThePublishedAlgorithm) {
  std::uint64_t state = 1234567;
  EXPECT_EQ(SplitMix64(&state), 6457827717110365317U);
  EXPECT_EQ(SplitMix64(&state), 3203168211198807973U);
}

TEST(RandomTest, TheSeedDecidesEverything) {
  Random a(42);
  Random b(42);
  Random c(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t value = a();
    ASSERT_EQ(value, b());
    differs |= value != c();
  }
  EXPECT_TRUE(differs);
}

TEST(RandomTest, BelowStaysBelowAndReachesAll) {
  Random random(test::Seed());
  std::array<int, 7> seen{};
  for (int i = 0; i < 70'000; ++i) ++seen.at(random.Below(seen.size()));
  for (const int count : seen) EXPECT_NEAR(count, 10'000, 600);  // Six standard deviations.
  EXPECT_EQ(random.Below(0), 0U);
  EXPECT_EQ(random.Below(1), 0U);
  EXPECT_LT(random.Below(UINT64_MAX), UINT64_MAX);
}

TEST(RandomTest, DoubleIsInTheUnitInterval) {
  Random random(test::Seed());
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double value = random.Double();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

TEST(RandomTest, ForksGoTheirOwnWay) {
  Random a(1);
  Random fork = a.Fork();
  EXPECT_NE(a(), fork());
}

}  // namespace
}  // namespace cirein
