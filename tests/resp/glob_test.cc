// SPDX-License-Identifier: Apache-2.0
#include "resp/glob.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace cirein::resp {
namespace {

using std::string_view_literals::operator""sv;

TEST(GlobTest, ReadsTheUsualPatterns) {
  EXPECT_TRUE(GlobMatches("*", "anything"));
  EXPECT_TRUE(GlobMatches("h*llo", "heeeello"));
  EXPECT_TRUE(GlobMatches("h*llo", "hllo"));
  EXPECT_FALSE(GlobMatches("h*llo", "hell"));
  EXPECT_TRUE(GlobMatches("h?llo", "hello"));
  EXPECT_FALSE(GlobMatches("h?llo", "hllo"));
  EXPECT_TRUE(GlobMatches("h[ae]llo", "hallo"));
  EXPECT_FALSE(GlobMatches("h[ae]llo", "hillo"));
  EXPECT_TRUE(GlobMatches("h[^e]llo", "hallo"));
  EXPECT_FALSE(GlobMatches("h[^e]llo", "hello"));
  EXPECT_TRUE(GlobMatches("h[a-c]llo", "hbllo"));
  EXPECT_FALSE(GlobMatches("h[a-c]llo", "hdllo"));
  EXPECT_TRUE(GlobMatches("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(GlobMatches("a*b*c", "a-b-b-"));
  EXPECT_TRUE(GlobMatches("abc***", "abc"));
  EXPECT_TRUE(GlobMatches("a\0?"sv, "a\0b"sv));
}

TEST(GlobTest, ABackslashTakesTheMeaning) {
  EXPECT_TRUE(GlobMatches("\\*", "*"));
  EXPECT_FALSE(GlobMatches("\\*", "a"));
  EXPECT_TRUE(GlobMatches("[\\]]", "]"));
  EXPECT_TRUE(GlobMatches("\\a", "a"));
  EXPECT_TRUE(GlobMatches("a\\", "a\\"));  // Behind it there is nothing.
}

// What redis-server 7.0.15 answers to KEYS.
TEST(GlobTest, KeepsRedisOddCorners) {
  EXPECT_TRUE(GlobMatches("[a", "a"));
  EXPECT_FALSE(GlobMatches("[", "["));
  EXPECT_TRUE(GlobMatches("[^", "x"));
  EXPECT_FALSE(GlobMatches("[]", "]"));
  EXPECT_TRUE(GlobMatches("[^]", "x"));
  EXPECT_TRUE(GlobMatches("[c-a]", "b"));
  EXPECT_TRUE(GlobMatches("[a-", "-"));
  EXPECT_TRUE(GlobMatches("[Z-]", "["));  // The bracket ends the range, and nothing the class.
  EXPECT_TRUE(GlobMatches("[\\", "\\"));
  EXPECT_TRUE(GlobMatches("[\x7f-\x80]", "a"));  // Bytes are signed.
  EXPECT_FALSE(GlobMatches("**", ""));
  EXPECT_FALSE(GlobMatches("*", ""));
  EXPECT_TRUE(GlobMatches("", ""));
}

TEST(GlobTest, ManyStarsEndSoon) {
  const std::string text(60'000, 'a');
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  EXPECT_FALSE(GlobMatches(pattern + "b", text));
  EXPECT_TRUE(GlobMatches(pattern + "*", text));
}

// All ways to match, however long that takes.
bool MatchesSlowly(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    if (std::all_of(pattern.begin(), pattern.end(), [](char c) { return c == '*'; })) return true;
    for (std::size_t skip = 0; skip <= text.size(); ++skip) {
      if (MatchesSlowly(pattern.substr(1), text.substr(skip))) return true;
    }
    return false;
  }
  if (text.empty()) return false;
  return (pattern[0] == '?' || pattern[0] == text[0]) &&
         MatchesSlowly(pattern.substr(1), text.substr(1));
}

std::string RandomText(Random& random, std::string_view letters, std::size_t max_bytes) {
  std::string text(1 + random.Below(max_bytes), 'x');
  for (char& c : text) c = letters[random.Below(letters.size())];
  return text;
}

TEST(GlobTest, FindsWhatTryingAllFinds) {
  Random random(test::Seed());
  for (int i = 0; i < 20'000; ++i) {
    const std::string pattern = RandomText(random, "ab?**", 8);
    const std::string text = RandomText(random, "ab", 10);
    ASSERT_EQ(GlobMatches(pattern, text), MatchesSlowly(pattern, text))
        << pattern << " and " << text;
  }
}

TEST(GlobTest, WhatMatchesBeginsWithThePrefix) {
  EXPECT_EQ(GlobPrefix("user:*"), "user:");
  EXPECT_EQ(GlobPrefix("a\\*b[cd]"), "a*b");
  EXPECT_EQ(GlobPrefix("?a"), "");
  EXPECT_EQ(GlobPrefix("a\\"), "a\\");
  EXPECT_TRUE(GlobIsExact("a\\*b\\"));
  EXPECT_FALSE(GlobIsExact("a*"));
  EXPECT_FALSE(GlobIsExact("a[b]"));
  Random random(test::Seed());
  for (int i = 0; i < 20'000; ++i) {
    const std::string pattern = RandomText(random, "ab?*[]^-\\", 6);
    const std::string text = RandomText(random, "ab-]", 4);
    if (!GlobMatches(pattern, text)) continue;
    ASSERT_TRUE(text.starts_with(GlobPrefix(pattern))) << pattern << " and " << text;
    if (!GlobIsExact(pattern)) continue;
    ASSERT_EQ(text, GlobPrefix(pattern)) << pattern;
  }
}

}  // namespace
}  // namespace cirein::resp
