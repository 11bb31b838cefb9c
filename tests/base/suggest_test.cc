// SPDX-License-Identifier: Apache-2.0
#include "base/suggest.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace cirein {
namespace {

constexpr std::array<std::string_view, 4> kNames{"memory.limit", "memory.stripes", "log.level",
                                                 "s"};

TEST(NearestTest, FindsMisspeltNames) {
  EXPECT_EQ(Nearest("memory.limit", kNames), "memory.limit");
  EXPECT_EQ(Nearest("memory.limt", kNames), "memory.limit");
  EXPECT_EQ(Nearest("meomry.limit", kNames), "memory.limit");
  EXPECT_EQ(Nearest("MEMORY.LIMIT", kNames), "memory.limit");
  EXPECT_EQ(Nearest("log_level", kNames), "log.level");
  EXPECT_EQ(Nearest("memorylimits", kNames), "memory.limit");
}

TEST(NearestTest, DoesNotGuessWildly) {
  EXPECT_EQ(Nearest("colour", kNames), std::nullopt);
  EXPECT_EQ(Nearest("memory", {}), std::nullopt);
  EXPECT_EQ(Nearest(std::string(101, 'm'), kNames), std::nullopt);
}

TEST(NearestTest, TheFirstOfEqualsWins) {
  constexpr std::array<std::string_view, 2> kTwins{"cat", "bat"};
  EXPECT_EQ(Nearest("rat", kTwins), "cat");
}

TEST(DidYouMeanTest, WordsTheHint) {
  EXPECT_EQ(DidYouMean("memory.limt", kNames, "x"), "did you mean \"memory.limit\"?");
  EXPECT_EQ(DidYouMean("colour", kNames, "look it up"), "look it up");
}

}  // namespace
}  // namespace cirein
