// SPDX-License-Identifier: Apache-2.0
#include "resp/look_ahead.h"

#include <array>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace cirein::resp {
namespace {

TEST(LookAheadTest, FindsTheKeysOfWholeCommands) {
  const std::string get = "*2\r\n$3\r\nGET\r\n$2\r\nk1\r\n";
  const std::string set = "*3\r\n$3\r\nSET\r\n$2\r\nk2\r\n$0\r\n\r\n";
  std::array<LikelyKey, 4> keys;
  const std::string both = get + set;
  EXPECT_EQ(FindLikelyKeys(both, keys), 2U);
  EXPECT_EQ(keys[0].row, "k1");
  EXPECT_EQ(keys[1].row, "k2");
  EXPECT_FALSE(keys[1].has_field);
  ASSERT_EQ(FindLikelyKeys("*3\r\n$4\r\nHGET\r\n$1\r\nh\r\n$1\r\nf\r\n", keys), 1U);
  EXPECT_TRUE(keys[0].has_field);
  EXPECT_EQ(keys[0].field, "f");
  // Cut anywhere, only what is whole counts.
  for (std::size_t end = 0; end <= both.size(); ++end) {
    const std::size_t whole = end == both.size() ? 2 : end >= get.size() ? 1 : 0;
    EXPECT_EQ(FindLikelyKeys(std::string_view(both).substr(0, end), keys), whole) << end;
  }
}

TEST(LookAheadTest, StopsAtWhatIsOdd) {
  std::array<LikelyKey, 4> keys;
  for (const char* odd : {"", "*", "PING\r\n", "*1\r\n$4\r\nPING\r\n", "*-1\r\n", "*x\r\n",
                          "*2\r\n$99999999999999999999\r\n", "*2\r\n$3\r\nGET\r\n:1\r\n"}) {
    EXPECT_EQ(FindLikelyKeys(odd, keys), 0U) << odd;
  }
  std::array<LikelyKey, 1> one;
  const std::string get = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
  EXPECT_EQ(FindLikelyKeys(get + get, one), 1U) << "no more than there is room for";
}

}  // namespace
}  // namespace cirein::resp
