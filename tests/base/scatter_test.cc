// SPDX-License-Identifier: Apache-2.0
#include "base/scatter.h"

#include <vector>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(ScatterTest, IsOneToOne) {
  for (const std::uint64_t count : {1U, 2U, 3U, 4U, 5U, 100U, 127U, 128U, 129U, 10'007U}) {
    const Scatter scatter(count);
    std::vector<bool> taken(count);
    for (std::uint64_t rank = 0; rank < count; ++rank) {
      const std::uint64_t place = scatter.Place(rank);
      ASSERT_LT(place, count);
      ASSERT_FALSE(taken[place]) << place << " of " << count << " is taken twice";
      taken[place] = true;
    }
  }
}

TEST(ScatterTest, NeighboursDoNotStayTogether) {
  const Scatter scatter(1'000'000);
  int near = 0;
  for (std::uint64_t rank = 0; rank < 1000; ++rank) {
    const std::uint64_t a = scatter.Place(rank);
    const std::uint64_t b = scatter.Place(rank + 1);
    if ((a > b ? a - b : b - a) < 1000) ++near;
  }
  EXPECT_LT(near, 20);
}

TEST(ScatterTest, HoldsForTheLargestCounts) {
  const Scatter scatter(~std::uint64_t{0});
  EXPECT_LT(scatter.Place(~std::uint64_t{0} - 1), ~std::uint64_t{0});
}

}  // namespace
}  // namespace cirein
