// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/help.h"
#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

// What bash offers when `words` are typed and the last is to be completed.
std::string Offered(const std::string& words) {
  const TemporaryDirectory directory = *TemporaryDirectory::Create();
  const std::string script = directory.File("script");
  EXPECT_TRUE(WriteFileAtomically(script, RunForTest({"completion", "bash"}).out +
                                              "\ncompopt() { :; }\nCOMP_WORDS=(" + words +
                                              ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                                              "_cirein\necho \"${COMPREPLY[*]}\"\n")
                  .ok());
  std::FILE* const bash = popen(("bash " + script + " 2>&1").c_str(), "r");
  if (bash == nullptr) return "no bash";
  std::string offered;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, bash) != nullptr) offered += buffer;
  pclose(bash);
  return offered;
}

TEST(VerbCompletionTest, BashCompletesVerbsOptionsAndChoices) {
  EXPECT_EQ(Offered("cirein do"), "doctor\n");
  EXPECT_EQ(Offered("cirein doctor --st"), "--strict\n");
  EXPECT_EQ(Offered("cirein -o js"), "json\n");
  EXPECT_EQ(Offered("cirein blast --distribution u"), "uniform\n");
  EXPECT_EQ(Offered("cirein help comp"), "compute completion\n");
  EXPECT_EQ(Offered("cirein config ch"), "check\n");
  EXPECT_EQ(Offered("cirein --set x=1 blast --work"), "--workload\n");
  EXPECT_EQ(Offered("cirein compute ./pool row con"), "concat\n");
  EXPECT_EQ(Offered("cirein drop ./pool --y"), "--yes\n");
}

TEST(VerbCompletionTest, EveryOptionIsThere) {
  const std::string script = RunForTest({"completion"}).out;
  for (const VerbEntry& entry : Verbs()) {
    for (const Option& option : OptionsOf(entry)) {
      if (option.kind == Option::Kind::kArgument) continue;
      for (const std::string& name : option.NameList()) EXPECT_THAT(script, HasSubstr(name));
    }
  }
}

TEST(VerbCompletionTest, OtherShellsAreRefused) {
  EXPECT_EQ(RunForTest({"completion", "tcsh"}).code, 1);
}

}  // namespace
}  // namespace cirein
