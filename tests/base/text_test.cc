// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/random_bytes.h"
#include "support/seed.h"

namespace cirein {
namespace {

TEST(EscapeForPeopleTest, ShowsPrintableBytesAndShortens) {
  EXPECT_EQ(EscapeForPeople("plain |*\""), "plain |*\"");
  EXPECT_EQ(EscapeForPeople(std::string("\\\n\0\x7F\xC3", 5)), "\\\\\\x0a\\x00\\x7f\\xc3");
  EXPECT_EQ(EscapeForPeople("abcdef", 3), "abc... (6 bytes)");
  EXPECT_EQ(EscapeForPeople("abc", 3), "abc");
  EXPECT_EQ(QuoteForPeople("a"), "\"a\"");
}

TEST(Utf8Test, KnowsWellFormedText) {
  for (const char* const good : {"", "a", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                 "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(good)) << EscapeForPeople(good);
  }
  // A lone continuation, overlong forms, a surrogate, beyond U+10FFFF, cut short.
  for (const char* const bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80",
                                "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
                                "\xC2", "\xE1\x80", "\xF1\x80\x80", "\xC2x"}) {
    EXPECT_FALSE(IsUtf8(bad)) << EscapeForPeople(bad);
  }
}

TEST(JsonStringTest, EscapesAndMendsUtf8) {
  EXPECT_EQ(JsonString("a\"\\\n\r\t\x01"), "\"a\\\"\\\\\\n\\r\\t\\u0001\"");
  EXPECT_EQ(JsonString("\xC3\xA9"), "\"\xC3\xA9\"");
  EXPECT_EQ(JsonString("a\xFF"
                       "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
}

TEST(JsonStringTest, IsAlwaysUtf8WithoutControlCharacters) {
  Random random(test::Seed());
  for (int i = 0; i < 2000; ++i) {
    const std::string json = JsonString(RandomBytes(&random, 16, "\"\\\xE1\x80\xF1"));
    ASSERT_TRUE(IsUtf8(json));
    for (const char c : json) ASSERT_FALSE(IsControlByte(c)) << json;
  }
}

TEST(PercentTest, EncodesAndDecodes) {
  EXPECT_EQ(PercentEncode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(PercentEncode("a/b c%"), "a%2Fb%20c%25");
  EXPECT_EQ(*PercentDecode("a%2fb%20"), "a/b ");
  for (const char* const bad : {"%", "%2", "%g0", "a%0g"}) {
    EXPECT_EQ(PercentDecode(bad).code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(PercentTest, AnyBytesComeBack) {
  Random random(test::Seed());
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = RandomBytes(&random, 40, "%20/");
    ASSERT_EQ(*PercentDecode(PercentEncode(bytes)), bytes);
  }
}

TEST(CsvFieldTest, QuotesOnlyWhenItMust) {
  EXPECT_EQ(CsvField("plain"), "plain");
  EXPECT_EQ(CsvField(""), "");
  EXPECT_EQ(CsvField("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvField("say \"a\""), "\"say \"\"a\"\"\"");
  EXPECT_EQ(CsvField("a\nb"), "\"a\nb\"");
  EXPECT_EQ(CsvField(" a"), "\" a\"");
}

TEST(NumberTest, ParsesStrictly) {
  EXPECT_EQ(*ParseUint64("0"), 0U);
  EXPECT_EQ(*ParseUint64("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(*ParseInt64("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(*ParseHex64("DEADbeef"), 0xDEADBEEFU);
  for (const char* const bad : {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "18446744073709551616"}) {
    EXPECT_EQ(ParseUint64(bad).code(), StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(ParseInt64("9223372036854775808").ok());
  EXPECT_FALSE(ParseHex64("10000000000000000").ok());
  EXPECT_FALSE(ParseHex64("").ok());
}

TEST(AsciiLowerTest, LeavesOtherBytesAlone) {
  EXPECT_EQ(AsciiLower("AbZ\xC3\x89_"), "abz\xC3\x89_");
}

}  // namespace
}  // namespace cirein
