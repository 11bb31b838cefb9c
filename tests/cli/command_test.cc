// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_test.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

TEST(CommandTest, WithoutAVerbItIsAUsageErrorWithHelp) {
  const CommandRun run = RunForTest({});
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr("Usage: cirein VERB"));
}

TEST(CommandTest, OptionsOfEveryVerbStandBeforeOrBehindIt) {
  const std::string behind = RunForTest({"version", "-o", "csv"}).out;
  EXPECT_THAT(behind, HasSubstr("name,version"));
  EXPECT_EQ(RunForTest({"-o", "csv", "version"}).out, behind);
  EXPECT_EQ(RunForTest({"--output=csv", "--version"}).out, behind);
}

TEST(CommandTest, UnknownVerbsAndOptionsAreUsageErrorsWithASuggestion) {
  const CommandRun verb = RunForTest({"docter"});
  EXPECT_EQ(verb.code, 1);
  EXPECT_EQ(verb.out, "");
  EXPECT_EQ(verb.err,
            "cirein: error: there is no verb \"docter\"\n  next: did you mean \"doctor\"?\n");
  const CommandRun option = RunForTest({"doctor", "--stict"});
  EXPECT_EQ(option.code, 1);
  EXPECT_THAT(option.err, HasSubstr("did you mean \"--strict\"?"));
}

TEST(CommandTest, AnUnknownOptionBeforeTheVerbIsNotTakenForTheVerb) {
  const CommandRun run = RunForTest({"--confg", "cirein.toml", "doctor"});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("did you mean \"--config\"?"));
}

TEST(CommandTest, PlainTextIsAskedForInThreeWays) {
  const auto plain = [](std::vector<std::string> arguments, std::vector<std::string> environment) {
    return AsksForPlainText(arguments, environment);
  };
  EXPECT_FALSE(plain({"doctor"}, {"TERM=xterm", "NO_COLOR="}));
  EXPECT_TRUE(plain({"doctor", "--no-color"}, {}));
  EXPECT_TRUE(plain({}, {"NO_COLOR=1"}));
  EXPECT_TRUE(plain({}, {"TERM=dumb"}));
}

TEST(CommandTest, BadSettingsStopVerbsThatNeedThemOnly) {
  EXPECT_EQ(RunForTest({"--set", "memory.limt=1", "blast", "-n", "1"}).code, 1);
  EXPECT_EQ(RunForTest({"version"}, {"CIREIN_CONFIG=/no/such/file"}).code, 0);
  EXPECT_EQ(RunForTest({"config"}, {"CIREIN_CONFIG=/no/such/file"}).code, 2);
}

}  // namespace
}  // namespace cirein
