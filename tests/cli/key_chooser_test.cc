// SPDX-License-Identifier: Apache-2.0
#include "cli/key_chooser.h"

#include <algorithm>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "support/seed.h"

namespace cirein {
namespace {

constexpr std::uint64_t kKeys = 1000;
constexpr int kDraws = 100'000;

std::vector<int> Counts(Distribution distribution, std::uint64_t present) {
  KeyChooser chooser(distribution, kKeys, 0.99);
  Random random(test::Seed());
  std::vector<int> counts(present);
  for (int i = 0; i < kDraws; ++i) ++counts.at(chooser.Choose(present, &random));
  return counts;
}

TEST(KeyChooserTest, UniformReachesAllKeysAlike) {
  const std::vector<int> counts = Counts(Distribution::kUniform, 2 * kKeys);
  // 50 expected each, with a standard deviation of 7.
  EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 10);
  EXPECT_LT(*std::max_element(counts.begin(), counts.end()), 110);
}

TEST(KeyChooserTest, LatestPrefersTheNewest) {
  const std::vector<int> counts = Counts(Distribution::kLatest, 2 * kKeys);
  EXPECT_EQ(std::max_element(counts.begin(), counts.end()) - counts.begin(),
            static_cast<std::ptrdiff_t>(2 * kKeys - 1));
  EXPECT_GT(counts[2 * kKeys - 1], 5 * counts[2 * kKeys - 10]);
}

TEST(KeyChooserTest, ZipfHasItsHotKeysAnywhereAndKeepsThemWhenKeysCome) {
  const std::vector<int> before = Counts(Distribution::kZipf, kKeys);
  const std::vector<int> after = Counts(Distribution::kZipf, 2 * kKeys);
  const auto hottest = std::max_element(before.begin(), before.end()) - before.begin();
  EXPECT_EQ(std::max_element(after.begin(), after.end()) - after.begin(), hottest);
  // 13 % for the hottest of a thousand.
  EXPECT_NEAR(before[static_cast<std::size_t>(hottest)], kDraws * 0.13, kDraws * 0.01);
}

}  // namespace
}  // namespace cirein
