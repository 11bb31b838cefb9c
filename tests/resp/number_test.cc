// SPDX-License-Identifier: Apache-2.0
#include "resp/number.h"

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "support/seed.h"

namespace cirein::resp {
namespace {

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(NumberTest, IntegersAreDigitsAsTheyAreWritten) {
  EXPECT_EQ(ParseInteger("0"), 0);
  EXPECT_EQ(ParseInteger("7"), 7);
  EXPECT_EQ(ParseInteger("-1"), -1);
  EXPECT_EQ(ParseInteger("-10"), -10);
  EXPECT_EQ(ParseInteger("9223372036854775807"), kMax);
  EXPECT_EQ(ParseInteger("-9223372036854775808"), kMin);
}

TEST(NumberTest, WhatIsNoInteger) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      "-"sv,
                                      "+1"sv,
                                      "01"sv,
                                      "-0"sv,
                                      "-01"sv,
                                      "00"sv,
                                      " 1"sv,
                                      "1 "sv,
                                      "1\0"sv,
                                      "1.0"sv,
                                      "1e3"sv,
                                      "0x10"sv,
                                      "a"sv,
                                      "--1"sv,
                                      "9223372036854775808"sv,
                                      "-9223372036854775809"sv,
                                      "99999999999999999999"sv,
                                      "999999999999999999999"sv,
                                      "inf"sv}) {
    EXPECT_EQ(ParseInteger(text), std::nullopt) << '"' << text << '"';
  }
}

TEST(NumberTest, AnIntegerWrittenIsReadAgain) {
  std::mt19937_64 random(test::Seed());
  IntegerText buffer;
  EXPECT_EQ(FormatInteger(kMin, buffer), "-9223372036854775808");
  for (int i = 0; i < 10'000; ++i) {
    const auto value = static_cast<std::int64_t>(random()) >> (random() % 64);
    ASSERT_EQ(ParseInteger(FormatInteger(value, buffer)), value);
  }
}

std::string Rewrite(std::string_view text) {
  FloatText buffer;
  const auto value = ParseFloat(text);
  return value ? std::string(FormatFloat(*value, buffer)) : "none";
}

TEST(NumberTest, FloatsAreWrittenWithoutZerosAtTheEnd) {
  EXPECT_EQ(Rewrite("0"), "0");
  EXPECT_EQ(Rewrite("-0"), "0");
  EXPECT_EQ(Rewrite("-0.0"), "0");
  EXPECT_EQ(Rewrite("10"), "10");
  EXPECT_EQ(Rewrite("+3.140"), "3.14");
  EXPECT_EQ(Rewrite("1e3"), "1000");
  EXPECT_EQ(Rewrite("5.0e-3"), "0.005");
  EXPECT_EQ(Rewrite("0x10"), "16");
  EXPECT_EQ(Rewrite(".5"), "0.5");
  EXPECT_EQ(Rewrite("5."), "5");
  EXPECT_EQ(Rewrite("3.0000000000000000001"), "3");
  EXPECT_EQ(Rewrite("1e-18"), "0");
  EXPECT_EQ(Rewrite("-1e-30"), "0");
  EXPECT_EQ(Rewrite("1e20"), "100000000000000000000");
  EXPECT_EQ(Rewrite("1e4932").size(), 4933U) << "the largest ones fit";
}

TEST(NumberTest, WhatIsNoFloat) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, " 1"sv, "1 "sv, "\t1"sv, "1\0"sv, "1.0x"sv, "abc"sv, "nan"sv, "-nan"sv, "1e5000"sv,
        "-1e5000"sv, "1e-5000"sv, "1,5"sv, "0x"sv}) {
    EXPECT_EQ(ParseFloat(text), std::nullopt) << '"' << text << '"';
  }
  EXPECT_EQ(ParseFloat(std::string(kMaxFloatBytes + 1, '1')), std::nullopt) << "too long";
  EXPECT_TRUE(ParseFloat("inf").has_value());
  EXPECT_TRUE(ParseFloat("-Infinity").has_value());
  EXPECT_TRUE(ParseFloat(std::string(kMaxFloatBytes - 1, '0') + "1").has_value());
}

TEST(NumberTest, Doubles) {
  DoubleText buffer;
  EXPECT_EQ(FormatDouble(0.1, buffer), "0.10000000000000001");
  EXPECT_EQ(FormatDouble(3, buffer), "3");
  EXPECT_EQ(FormatDouble(-std::numeric_limits<double>::max(), buffer), "-1.7976931348623157e+308");
  EXPECT_EQ(FormatDouble(std::numeric_limits<double>::denorm_min(), buffer),
            "4.9406564584124654e-324");
  EXPECT_EQ(FormatDouble(-std::numeric_limits<double>::infinity(), buffer), "-inf");
}

}  // namespace
}  // namespace cirein::resp
