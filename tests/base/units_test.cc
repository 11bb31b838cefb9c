// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <chrono>
#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace cirein {
namespace {

using std::chrono::nanoseconds;

TEST(BytesTest, Parses) {
  const std::pair<const char*, std::uint64_t> cases[] = {{"0", 0},
                                                         {"17", 17},
                                                         {"17B", 17},
                                                         {"1KiB", 1024},
                                                         {"1 KiB", 1024},
                                                         {"1Ki", 1024},
                                                         {"1kib", 1024},
                                                         {"1k", 1000},
                                                         {"1kB", 1000},
                                                         {"64MiB", 64U << 20},
                                                         {"2GB", 2'000'000'000},
                                                         {"1.5GiB", 3U << 29},
                                                         {"0.001kB", 1},
                                                         {"1.50000000000000000000000000KiB", 1536},
                                                         {"16383PiB", std::uint64_t{16383} << 50},
                                                         {"18446744073709551615", UINT64_MAX},
                                                         {"18446744073709551.615k", UINT64_MAX}};
  for (const auto& [text, bytes] : cases) {
    const Result<std::uint64_t> result = ParseBytes(text);
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(*result, bytes) << text;
  }
}

TEST(BytesTest, RefusesWhatIsUnclearOrTooLarge) {
  for (const char* const text : {"",
                                 "B",
                                 "-1",
                                 "+1",
                                 " 1",
                                 "1 ",
                                 "1.B",
                                 ".5k",
                                 "1,5k",
                                 "1e3",
                                 "1X",
                                 "1KiBB",
                                 "1kb2",
                                 "0.5",
                                 "0.1KiB",
                                 "1.0001k",
                                 "16384PiB",
                                 "18446744073709551616",
                                 "18446744073709551.616k",
                                 "1.0000000000000000001PiB"}) {
    const Result<std::uint64_t> result = ParseBytes(text);
    EXPECT_EQ(result.code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(BytesTest, FormatsExactly) {
  EXPECT_EQ(FormatBytes(0), "0B");
  EXPECT_EQ(FormatBytes(1000), "1000B");
  EXPECT_EQ(FormatBytes(1536), "1536B");
  EXPECT_EQ(FormatBytes(64 << 20), "64MiB");
  EXPECT_EQ(BytesForPeople(1536), "1.50KiB");
  EXPECT_EQ(BytesForPeople(999), "999B");
  EXPECT_EQ(BytesForPeople(123 << 20), "123MiB");
}

TEST(DurationTest, Parses) {
  const std::pair<const char*, std::int64_t> cases[] = {{"0", 0},
                                                        {"0s", 0},
                                                        {"1ns", 1},
                                                        {"2us", 2'000},
                                                        {"3ms", 3'000'000},
                                                        {"1.5s", 1'500'000'000},
                                                        {"2m", 120'000'000'000},
                                                        {"1.25h", 4'500'000'000'000},
                                                        {"0.000000001s", 1},
                                                        {"9223372036854775807ns", INT64_MAX}};
  for (const auto& [text, ns] : cases) {
    const Result<nanoseconds> result = ParseDuration(text);
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(result->count(), ns) << text;
  }
}

TEST(DurationTest, RefusesWhatIsUnclearOrTooLarge) {
  for (const char* const text : {"", "1", "-1s", "1S", "1sec", "0.1ns", "0.0000000001s",
                                 "9223372036854775808ns", "2562048h", "99999999999999999999h"}) {
    EXPECT_EQ(ParseDuration(text).code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(DurationTest, FormatsExactly) {
  EXPECT_EQ(FormatDuration(nanoseconds(0)), "0s");
  EXPECT_EQ(FormatDuration(std::chrono::milliseconds(1500)), "1500ms");
  EXPECT_EQ(FormatDuration(std::chrono::seconds(90)), "90s");
  EXPECT_EQ(FormatDuration(std::chrono::seconds(60)), "1m");
  EXPECT_EQ(FormatDuration(nanoseconds(-5)), "-5ns");
  EXPECT_EQ(FormatDuration(nanoseconds::min()), "-9223372036854775808ns");
  EXPECT_EQ(DurationForPeople(nanoseconds(1'234'567)), "1.23ms");
  EXPECT_EQ(DurationForPeople(nanoseconds(12)), "12ns");
}

TEST(UnitsTest, WhatIsFormattedReadsBack) {
  Random random(test::Seed());
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t value = random() >> random.Below(64) << random.Below(32);
    ASSERT_EQ(*ParseBytes(FormatBytes(value)), value);
    const nanoseconds duration(static_cast<std::int64_t>(value >> 1));
    ASSERT_EQ(*ParseDuration(FormatDuration(duration)), duration);
  }
}

}  // namespace
}  // namespace cirein
