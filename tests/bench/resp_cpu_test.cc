// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_cpu.h"

#include <optional>

#include <gtest/gtest.h>

namespace cirein::bench::resp {
namespace {

TEST(ParseStatTest, FindsTimesBehindAnyName) {
  for (const char* name : {"server", "a) S 1 2 (b", ""}) {
    const auto time = ParseStat(
        "12 (" + std::string(name) + ") S 1 12 12 0 -1 4194560 900 0 1 0 150 50 7 8 20 0 5 0 99\n",
        100);
    ASSERT_TRUE(time.has_value());
    EXPECT_DOUBLE_EQ(time->user_s, 1.5);
    EXPECT_DOUBLE_EQ(time->system_s, 0.5);
    EXPECT_DOUBLE_EQ(time->total_s, 2.0);
  }
}

TEST(ParseStatTest, RefusesWhatIsNone) {
  for (const char* line : {"", "12", "12 (a)", "12 (a) S 1 12 12 0 -1 4194560 900 0 1 0 150",
                           "12 (a) S 1 12 12 0 -1 4194560 900 0 1 0 x y"}) {
    EXPECT_FALSE(ParseStat(line, 100).has_value()) << line;
  }
}

}  // namespace
}  // namespace cirein::bench::resp
