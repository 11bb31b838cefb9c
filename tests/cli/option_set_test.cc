// SPDX-License-Identifier: Apache-2.0
#include "cli/option_set.h"

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(OptionSetTest, FindsByEachName) {
  bool flag = false;
  OptionSet options;
  options.AddFlag({"-f,--flag", "", "a flag"}, &flag);
  EXPECT_EQ(options.Find("-f"), options.Find("--flag"));
  EXPECT_NE(options.Find("-f"), nullptr);
  EXPECT_EQ(options.Find("--other"), nullptr);
  ASSERT_TRUE(options.Find("-f")->set("").ok());
  EXPECT_TRUE(flag);
}

TEST(OptionSetTest, ShowsWhatCountsWhenNothingIsGiven) {
  std::uint64_t number = 7;
  std::uint64_t bytes = 65536;
  std::chrono::nanoseconds time = std::chrono::seconds(90);
  OptionSet options;
  options.AddNumber({"--number", "N", ""}, {1, 9}, &number);
  options.AddBytes({"--bytes", "SIZE", ""}, {}, &bytes);
  options.AddDuration({"--time", "TIME", ""}, &time);
  EXPECT_EQ(options.Find("--number")->fallback, "7");
  EXPECT_EQ(options.Find("--bytes")->fallback, "64KiB");
  EXPECT_EQ(options.Find("--time")->fallback, "90s");
}

TEST(OptionSetTest, RefusesWhatIsOutOfRangeAndKeepsTheOldValue) {
  std::uint64_t number = 7;
  double real = 0.5;
  std::uint64_t bytes = 10;
  OptionSet options;
  options.AddNumber({"--number", "N", ""}, {1, 9}, &number);
  options.AddReal({"--real", "X", ""}, {0, 1}, &real);
  options.AddBytes({"--bytes", "SIZE", ""}, {0, 1024}, &bytes);
  for (const auto& [name, bad] :
       std::vector<std::pair<std::string, std::string>>{{"--number", "0"},
                                                        {"--number", "10"},
                                                        {"--number", "-1"},
                                                        {"--number", "x"},
                                                        {"--number", ""},
                                                        {"--real", "1.5"},
                                                        {"--real", "nan"},
                                                        {"--real", "inf"},
                                                        {"--real", "0.5x"},
                                                        {"--bytes", "2KiB"},
                                                        {"--bytes", "lots"}}) {
    const Status status = options.Find(name)->set(bad);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name << " " << bad;
    EXPECT_FALSE(status.hint().empty());
  }
  EXPECT_EQ(number, 7U);
  EXPECT_EQ(real, 0.5);
  EXPECT_EQ(bytes, 10U);
}

TEST(OptionSetTest, ChoicesSuggestTheNearest) {
  std::string chosen;
  OptionSet options;
  options.AddChoice({"--mode", "MODE", ""}, {"zipf", "uniform"}, "zipf",
                    [&chosen](std::string_view word) {
                      chosen = word;
                      return OkStatus();
                    });
  const Status status = options.Find("--mode")->set("unifrom");
  EXPECT_EQ(status.hint(), "did you mean \"uniform\"?");
  EXPECT_EQ(chosen, "");
  ASSERT_TRUE(options.Find("--mode")->set("uniform").ok());
  EXPECT_EQ(chosen, "uniform");
}

}  // namespace
}  // namespace cirein
