// SPDX-License-Identifier: Apache-2.0
#include "runtime/entropy.h"

#include <set>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(Entropy, OfTheSystemDiffers) {
  Entropy entropy = Entropy::FromSystem();
  std::set<std::uint64_t> seeds;
  for (int i = 0; i < 1000; ++i) seeds.insert(entropy.Seed());
  EXPECT_EQ(seeds.size(), 1000U);
}

TEST(Entropy, OfASeedReplays) {
  Entropy one = Entropy::FromSeed(7);
  Entropy same = Entropy::FromSeed(7);
  Entropy other = Entropy::FromSeed(8);
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t seed = one.Seed();
    EXPECT_EQ(seed, same.Seed());
    EXPECT_NE(seed, other.Seed());
  }
  EXPECT_EQ(one.MakeRandom()(), same.MakeRandom()());
}

}  // namespace
}  // namespace cirein
