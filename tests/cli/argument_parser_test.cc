// SPDX-License-Identifier: Apache-2.0
#include "cli/argument_parser.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cirein {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ArgumentParserTest : public ::testing::Test {
 protected:
  ArgumentParserTest() {
    options_.AddArgument({"URL", "", ""}, OptionSet::Presence::kRequired, &url_);
    options_.AddNumber({"-n,--number", "N", ""}, {0, 9}, &number_);
    options_.AddList({"--set", "NAME=VALUE", ""}, &list_);
    options_.AddFlag({"-v,--verify", "", ""}, &verify_);
  }

  Status Parse(const std::vector<std::string>& arguments) {
    const std::array<const OptionSet*, 1> sets = {&options_};
    return ParseArguments("cirein test", sets, arguments);
  }

  std::string url_;
  std::uint64_t number_ = 1;
  std::vector<std::string> list_;
  bool verify_ = false;
  OptionSet options_;
};

TEST_F(ArgumentParserTest, TakesOptionsInAnyPlaceAndForm) {
  ASSERT_TRUE(Parse({"--number=3", "local:", "--set", "a=1", "-v", "--set", "b=-2"}).ok());
  EXPECT_EQ(url_, "local:");
  EXPECT_EQ(number_, 3U);
  EXPECT_TRUE(verify_);
  EXPECT_THAT(list_, ElementsAre("a=1", "b=-2"));
}

TEST_F(ArgumentParserTest, TheLastValueCounts) {
  ASSERT_TRUE(Parse({"u", "-n", "3", "--number", "4"}).ok());
  EXPECT_EQ(number_, 4U);
}

TEST_F(ArgumentParserTest, ARepeatedOptionTakesOneValueEach) {
  ASSERT_TRUE(Parse({"--set", "a=1", "local:"}).ok());
  EXPECT_EQ(url_, "local:");
  EXPECT_THAT(list_, ElementsAre("a=1"));
}

TEST_F(ArgumentParserTest, UnknownOptionsGetASuggestion) {
  const Status status = Parse({"u", "--numbr", "3"});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"--numbr\""));
  EXPECT_EQ(status.hint(), "did you mean \"--number\"?");
  EXPECT_THAT(std::string(Parse({"u", "--verifi=1"}).hint()), HasSubstr("--verify"));
}

TEST_F(ArgumentParserTest, TellsWhatIsMissingOrTooMuch) {
  EXPECT_THAT(std::string(Parse({}).message()), HasSubstr("URL"));
  EXPECT_THAT(std::string(Parse({"u", "v"}).message()), HasSubstr("\"v\""));
  EXPECT_THAT(std::string(Parse({"u", "--number"}).message()), HasSubstr("--number"));
  for (const auto& arguments : std::vector<std::vector<std::string>>{{}, {"u", "v"}}) {
    EXPECT_EQ(Parse(arguments).code(), StatusCode::kInvalidArgument);
  }
}

TEST_F(ArgumentParserTest, NamesTheOptionOfABadValue) {
  const Status status = Parse({"u", "-n", "12"});
  EXPECT_EQ(status.message(), "--number: 12 is out of range");
  EXPECT_EQ(status.hint(), "give 0 to 9");
}

}  // namespace
}  // namespace cirein
