// SPDX-License-Identifier: Apache-2.0
#include "cirein/pattern.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/random_bytes.h"
#include "support/seed.h"

namespace cirein {
namespace {

using ColumnMatch = Pattern::ColumnMatch;

struct Good {
  const char* text;
  const char* row;
  bool row_is_prefix;
  ColumnMatch match;
  const char* column;
};

class GoodPatternTest : public testing::TestWithParam<Good> {};

TEST_P(GoodPatternTest, ParsesAndReadsBack) {
  const Good& good = GetParam();
  const Result<Pattern> pattern = Pattern::ParseText(good.text);
  ASSERT_TRUE(pattern.ok()) << pattern.status().ToString();
  EXPECT_EQ(pattern->row(), good.row);
  EXPECT_EQ(pattern->row_is_prefix(), good.row_is_prefix);
  EXPECT_EQ(pattern->column_match(), good.match);
  EXPECT_EQ(pattern->column(), good.column);
  EXPECT_EQ(pattern->ToString(), good.text);
}

INSTANTIATE_TEST_SUITE_P(All, GoodPatternTest,
                         testing::Values(Good{"r", "r", false, ColumnMatch::kNone, ""},
                                         Good{"r*", "r", true, ColumnMatch::kNone, ""},
                                         Good{"*", "", true, ColumnMatch::kNone, ""},
                                         Good{"r|", "r", false, ColumnMatch::kExact, ""},
                                         Good{"r|c", "r", false, ColumnMatch::kExact, "c"},
                                         Good{"r|c*", "r", false, ColumnMatch::kPrefix, "c"},
                                         Good{"r|*", "r", false, ColumnMatch::kAll, ""},
                                         Good{"r|**", "r", false, ColumnMatch::kPrefix, ""},
                                         Good{"*|*", "", true, ColumnMatch::kAll, ""},
                                         Good{"r*|c*", "r", true, ColumnMatch::kPrefix, "c"},
                                         Good{"a\\*b", "a*b", false, ColumnMatch::kNone, ""},
                                         Good{"a\\*", "a*", false, ColumnMatch::kNone, ""},
                                         Good{"a\\**", "a*", true, ColumnMatch::kNone, ""},
                                         Good{"a\\\\*", "a\\", true, ColumnMatch::kNone, ""},
                                         Good{"a\\|b|c\\|d", "a|b", false, ColumnMatch::kExact,
                                              "c|d"},
                                         Good{"a\\x0ab", "a\nb", false, ColumnMatch::kNone, ""},
                                         Good{"\\\\|c", "\\", false, ColumnMatch::kExact, "c"}));

TEST(PatternTest, BadTextsAreErrorsThatShowThem) {
  for (const char* const text : {"", "|c", "foo*bar", "r**", "**", "r|a*b", "r|***", "a\\", "a\\q",
                                 "a\\x", "a\\x0", "a\\x0g", "r|a\\"}) {
    const Result<Pattern> pattern = Pattern::ParseText(text);
    EXPECT_EQ(pattern.code(), StatusCode::kInvalidArgument) << text;
    EXPECT_FALSE(pattern.status().hint().empty());
  }
  EXPECT_NE(Pattern::Parse("foo*bar").status().message().find("\"foo*bar\""), std::string::npos);
}

TEST(PatternTest, ABarInSeparatePartsIsAnOrdinaryByte) {
  EXPECT_EQ(Pattern::Parse("a|b")->row(), "a|b");
  EXPECT_EQ(Pattern::Parse("a", "b|c")->column(), "b|c");
}

TEST(PatternTest, LimitsAreThoseOfAKey) {
  EXPECT_TRUE(Pattern::Parse(std::string(kMaxRowBytes, 'r') + "*").ok());
  EXPECT_FALSE(Pattern::Parse(std::string(kMaxRowBytes + 1, 'r') + "*").ok());
  EXPECT_FALSE(Pattern::Parse("r", std::string(kMaxColumnBytes + 1, 'c')).ok());
  EXPECT_FALSE(Pattern().Validate().ok());
  EXPECT_TRUE(Pattern::RowPrefix("").Validate().ok());
}

TEST(PatternTest, AKeyIsItsOwnPattern) {
  Key key("a*b", "*");
  key.set_bucket(Bucket(3));
  const Pattern pattern = key;
  EXPECT_TRUE(pattern.is_exact());
  EXPECT_EQ(pattern.key(), key);
  EXPECT_TRUE(pattern.Matches(key));
  EXPECT_FALSE(pattern.Matches(Key("a*b", "*"))) << "another bucket";
  EXPECT_EQ(Pattern(Key("r")).key(), Key("r"));
}

TEST(PatternTest, ColumnsMatchByKind) {
  const Pattern none = Key("r");
  EXPECT_TRUE(none.MatchesColumn(std::nullopt));
  EXPECT_FALSE(none.MatchesColumn(""));
  const Pattern exact = Key("r", "c");
  EXPECT_TRUE(exact.MatchesColumn("c"));
  EXPECT_FALSE(exact.MatchesColumn("cc"));
  EXPECT_FALSE(exact.MatchesColumn(std::nullopt));
  const Pattern prefix = Pattern::ColumnPrefix("r", "c");
  EXPECT_TRUE(prefix.MatchesColumn("cc"));
  EXPECT_FALSE(prefix.MatchesColumn("dc"));
  const Pattern every = Pattern::ColumnPrefix("r", "");
  EXPECT_TRUE(every.MatchesColumn(""));
  EXPECT_FALSE(every.MatchesColumn(std::nullopt));
  const Pattern all = Pattern::Row("r");
  EXPECT_TRUE(all.MatchesColumn(std::nullopt));
  EXPECT_TRUE(all.MatchesColumn("x"));
  EXPECT_FALSE(all.is_exact());
}

TEST(PatternTest, RowsMatchExactlyOrByPrefix) {
  EXPECT_TRUE(Pattern::Row("ab").MatchesRow("ab"));
  EXPECT_FALSE(Pattern::Row("ab").MatchesRow("abc"));
  EXPECT_TRUE(Pattern::RowPrefix("ab").MatchesRow("abc"));
  EXPECT_FALSE(Pattern::RowPrefix("ab").MatchesRow("a"));
  EXPECT_TRUE(Pattern::RowPrefix("").MatchesRow("x"));
}

TEST(PatternTest, TextOfAnyPatternReadsBack) {
  Random random(test::Seed());
  for (int i = 0; i < 3000; ++i) {
    const std::string row = "r" + RandomBytes(&random, 8, "*\\|xr0a");
    const std::string column = RandomBytes(&random, 8, "*\\|xr0a");
    Pattern pattern;
    switch (random.Below(6)) {
      case 0:
        pattern = Key(row);
        break;
      case 1:
        pattern = Key(row, column);
        break;
      case 2:
        pattern = Pattern::Row(row);
        break;
      case 3:
        pattern = Pattern::ColumnPrefix(row, column);
        break;
      case 4:
        pattern = Pattern::RowPrefix(row);
        break;
      default:
        pattern = Pattern::RowPrefix("");
        break;
    }
    const Result<Pattern> again = Pattern::ParseText(pattern.ToString());
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    ASSERT_EQ(*again, pattern) << pattern.ToString();
    const auto column_text = pattern.ColumnText();
    const Result<Pattern> from_parts = column_text ? Pattern::Parse(pattern.RowText(), *column_text)
                                                   : Pattern::Parse(pattern.RowText());
    ASSERT_EQ(*from_parts, pattern);
  }
}

}  // namespace
}  // namespace cirein
