// SPDX-License-Identifier: Apache-2.0
#include "cirein/operations.h"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(VersionTest, EpochCountsBeforeCounter) {
  EXPECT_LT((Version{1, 9}), (Version{2, 0}));
  EXPECT_LT((Version{1, 1}), (Version{1, 2}));
  EXPECT_EQ((Version{3, 14}).ToString(), "3.14");
}

TEST(AvailabilityTest, EachHasAName) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Availability::kDisk); ++i) {
    names.insert(AvailabilityName(static_cast<Availability>(i)));
  }
  EXPECT_EQ(names.size(), 7U);
  EXPECT_EQ(AvailabilityName(static_cast<Availability>(99)), "unknown");
}

}  // namespace
}  // namespace cirein
