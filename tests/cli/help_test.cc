// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_test.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

TEST(HelpTest, TheWholeTextOfASmallVerb) {
  EXPECT_EQ(RunForTest({"help", "doctor"}).out,
            R"(Usage: cirein doctor [options]

cirein doctor: look at this machine: PASS or WARN, with the next step.

A WARN says that something will be slower or smaller than it could be; it makes the exit
code 5 only with --strict.

Options:
  --strict  end with 5 when there is a WARN

Options of every verb:
  --config FILE        settings in TOML; CIREIN_CONFIG names one too
  --set NAME=VALUE     a setting, over file and environment; repeatable
  --log-level LEVEL    the least severe log lines on standard error: trace, debug, info,
                       warn, error, off
  -o, --output FORMAT  the form of the data on standard output: table, json, csv [table]
  --no-color           no colours and nothing animated; as NO_COLOR and TERM=dumb
  -h, --help           this help
  --version            the version, as `cirein version`

Examples:
  cirein doctor
      what this machine offers, and what to mend
  cirein doctor --strict
      the same; a WARN makes the exit code 5
  cirein doctor -o json
      for programs

Exit codes:
  0   it worked
  1   usage: a flag, URL, pattern, key, file or setting that cannot be
  2   what was named is not there
  3   the deadline passed
  4   unavailable: finishing, not reachable, or the system failed; may work later
  5   some checks or requests failed, or the run was interrupted
  6   refused: write-once, permission, or a stated limit is reached
  70  a defect in Cirein: please report it
)");
}

TEST(HelpTest, ListsEveryVerbOnALineOfItsOwn) {
  const std::string help = RunForTest({"--help"}).out;
  for (const VerbEntry& entry : Verbs()) {
    EXPECT_THAT(help, HasSubstr("\n    " + std::string(entry.name) + " "));
    EXPECT_THAT(help, HasSubstr(std::string(entry.summary) + "\n"));
  }
}

TEST(HelpTest, FlagAndVerbSayTheSame) {
  for (const VerbEntry& entry : Verbs()) {
    const std::string name(entry.name);
    const CommandRun by_flag = RunForTest({name, "--help"});
    EXPECT_EQ(by_flag.code, 0);
    EXPECT_EQ(by_flag.out, RunForTest({"help", name}).out);
    EXPECT_EQ(by_flag.err, "");
  }
}

TEST(HelpTest, LinesFitAndNamesAreUnique) {
  for (const VerbEntry& entry : Verbs()) {
    EXPECT_FALSE(entry.examples.empty()) << entry.name;
    std::set<std::string> names;
    for (const std::vector<Option>& options : {OptionsOf(entry), OptionsOfEveryVerb()}) {
      for (const Option& option : options) {
        EXPECT_FALSE(option.help.empty()) << option.names;
        for (const std::string& name : option.NameList()) {
          EXPECT_TRUE(names.insert(name).second) << entry.name << " " << name;
        }
      }
    }
    const std::string help = VerbHelp(entry);
    for (std::size_t begin = 0; begin < help.size();) {
      const std::size_t end = help.find('\n', begin);
      EXPECT_LE(end - begin, 100U) << help.substr(begin, end - begin);
      begin = end + 1;
    }
  }
}

TEST(HelpTest, UnknownVerb) {
  const CommandRun run = RunForTest({"help", "bast"});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("did you mean \"blast\"?"));
}

}  // namespace
}  // namespace cirein
