// SPDX-License-Identifier: Apache-2.0
#include "pool/member_route.h"

#include <cstddef>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace cirein {
namespace {

const Bucket kOne{1};
const Bucket kTwo{2};

TEST(MemberRouteTest, AHashSpreadsRowsInEachBucketAnotherWay) {
  const MemberRoute one = RouteByHash(kOne, 4);
  const MemberRoute two = RouteByHash(kTwo, 4);
  EXPECT_TRUE(one.many_owners);
  std::set<std::size_t> owners;
  int apart = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string row = "row" + std::to_string(i);
    ASSERT_LT(one.owner(row), 4U);
    EXPECT_EQ(one.owner(row), RouteByHash(kOne, 4).owner(row));
    owners.insert(one.owner(row));
    if (one.owner(row) != two.owner(row)) ++apart;
  }
  EXPECT_EQ(owners.size(), 4U);
  EXPECT_GT(apart, 50);
}

TEST(MemberRouteTest, ARankLeadsToOneMember) {
  const MemberRoute route = RouteByRank(7, 4);
  EXPECT_FALSE(route.many_owners);
  EXPECT_EQ(route.owner("a"), 3U);
  EXPECT_EQ(route.owner("b"), 3U);
}

TEST(MemberRouteTest, ATagLeadsToItsMemberAndARowWithoutGoesByItsHash) {
  const MemberRoute route = RouteByTag(kOne, 4);
  EXPECT_TRUE(route.many_owners);
  for (std::uint32_t tag = 0; tag < 12; ++tag) {
    EXPECT_EQ(route.owner(WithRowTag("row", tag)), tag % 4);
  }
  EXPECT_EQ(route.owner("row"), RouteByHash(kOne, 4).owner("row"));
}

}  // namespace
}  // namespace cirein
