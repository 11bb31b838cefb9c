// SPDX-License-Identifier: Apache-2.0
#include "base/zipf.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "support/seed.h"

namespace cirein {
namespace {

constexpr std::uint64_t kDraws = 200'000;

// Pearson's statistic of the draws against the exact distribution, in standard deviations from
// what is expected. Ranks of which too few are expected are taken together.
double Deviation(std::uint64_t count, double theta, std::uint64_t seed) {
  const Zipf zipf(count, theta);
  Random random(seed);
  std::vector<double> seen(count);
  for (std::uint64_t i = 0; i < kDraws; ++i) ++seen.at(zipf.Draw(&random));
  double total = 0;
  for (std::uint64_t rank = 1; rank <= count; ++rank) {
    total += std::pow(static_cast<double>(rank), -theta);
  }
  double statistic = 0;
  double freedom = -1;
  double expected = 0;
  double found = 0;
  for (std::uint64_t rank = 0; rank < count; ++rank) {
    expected +=
        static_cast<double>(kDraws) * std::pow(static_cast<double>(rank + 1), -theta) / total;
    found += seen[rank];
    if (expected < 20 && rank + 1 < count) continue;
    statistic += (found - expected) * (found - expected) / expected;
    freedom += 1;
    expected = found = 0;
  }
  if (freedom < 1) return 0;
  // Of few degrees of freedom the statistic is far from normal: 9.5 of one degree comes once in 500
  // runs. Its cube root is nearly normal (Wilson and Hilferty 1931).
  const double variance = 2 / (9 * freedom);
  return (std::cbrt(statistic / freedom) - (1 - variance)) / std::sqrt(variance);
}

TEST(ZipfTest, FollowsTheExactDistribution) {
  const std::uint64_t seed = test::Seed();
  for (const std::uint64_t count : {1U, 2U, 3U, 10U, 1000U, 100'000U}) {
    for (const double theta : {0.0, 0.5, 0.99, 1.0, 1.5}) {
      EXPECT_LT(Deviation(count, theta, seed), 6) << count << " ranks, theta " << theta;
    }
  }
}

TEST(ZipfTest, TellsThetasApart) {
  const Zipf zipf(10, 0.99);
  Random random(test::Seed());
  std::vector<double> seen(10);
  for (std::uint64_t i = 0; i < kDraws; ++i) ++seen.at(zipf.Draw(&random));
  // The hottest of ten has 33.83 % at 0.99, and 35.09 % at 1.03: 12 standard deviations apart.
  EXPECT_NEAR(seen[0] / kDraws, 0.3383, 0.0064);
}

TEST(ZipfTest, HugeCountsCostNothingToSetUp) {
  constexpr std::uint64_t kCount = 1'000'000'000;
  const Zipf zipf(kCount, 0.99);
  Random random(test::Seed());
  std::uint64_t hot = 0;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const std::uint64_t rank = zipf.Draw(&random);
    ASSERT_LT(rank, kCount);
    if (rank == 0) ++hot;
  }
  // 1 / (sum of rank^-0.99 up to 10^9), which is 23.6 by Euler and Maclaurin.
  EXPECT_NEAR(static_cast<double>(hot) / kDraws, 1 / 23.6, 0.003);
}

TEST(ZipfTest, TheCountMayGrow) {
  Zipf zipf(1, 0.5);
  Random random(1);
  EXPECT_EQ(zipf.Draw(&random), 0U);
  zipf.SetCount(1000);
  std::uint64_t most = 0;
  for (int i = 0; i < 10'000; ++i) most = std::max(most, zipf.Draw(&random));
  EXPECT_GT(most, 900U);
  EXPECT_LT(most, 1000U);
}

TEST(ZipfTest, ASeedRepeatsASequence) {
  const Zipf zipf(1000, 0.99);
  Random a(7);
  Random b(7);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(zipf.Draw(&a), zipf.Draw(&b));
}

}  // namespace
}  // namespace cirein
