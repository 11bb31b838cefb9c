// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/exit_code.h"
#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kOk = static_cast<int>(ExitCode::kOk);
constexpr int kUsage = static_cast<int>(ExitCode::kUsage);
constexpr int kPartial = static_cast<int>(ExitCode::kPartial);

class VerbSimulateTest : public ::testing::Test {
 protected:
  static CommandRun Simulate(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "simulate");
    return RunForTest(std::move(arguments));
  }
  std::string File(const std::string& name, std::string_view text) {
    EXPECT_TRUE(WriteFileAtomically(directory_.File(name), text).ok());
    return directory_.File(name);
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
};

TEST_F(VerbSimulateTest, ListsWhatThereIs) {
  const CommandRun run = Simulate({"-o", "csv"});
  EXPECT_EQ(run.code, kOk);
  EXPECT_THAT(run.out, HasSubstr("echo,"));
  EXPECT_THAT(run.out, HasSubstr("store,"));
}

TEST_F(VerbSimulateTest, ARunSaysWhatHappenedAndIsTheSameAgain) {
  const CommandRun run = Simulate({"--scenario", "echo", "--seed", "3", "--twice", "-o", "csv"});
  EXPECT_EQ(run.code, kOk) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\n3,ok,"));
  EXPECT_EQ(run.out, Simulate({"--scenario", "echo", "--seed", "3", "-o", "csv"}).out);
  EXPECT_NE(run.out,
            Simulate({"--scenario", "echo", "--seed", "3", "--fabric", "rdma", "-o", "csv"}).out);
}

TEST_F(VerbSimulateTest, TheLogsOfTwoRunsAreTheSameByteForByte) {
  std::vector<std::string> logs;
  for (const char* name : {"one", "two"}) {
    const std::string path = directory_.File(name);
    EXPECT_EQ(Simulate({"--scenario", "store", "--seed", "5", "--log", path}).code, kOk);
    logs.push_back(*ReadFile(path, 100'000'000));
  }
  EXPECT_GT(logs[0].size(), 1000U);
  EXPECT_EQ(logs[0], logs[1]);
}

TEST_F(VerbSimulateTest, ManySeedsAreSummedUp) {
  const CommandRun run =
      Simulate({"--scenario", "echo", "--seeds", "20", "--jobs", "2", "-o", "csv"});
  EXPECT_EQ(run.code, kOk) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\n20,0,"));
}

TEST_F(VerbSimulateTest, AFailureTellsHowToSeeItAgain) {
  // A client that is cut off for longer than anybody waits.
  const std::string plan = File("plan", "at 0s pause server for 24h\n");
  const CommandRun run = Simulate({"--scenario", "echo", "--plan", plan});
  EXPECT_EQ(run.code, kPartial);
  EXPECT_THAT(run.err, HasSubstr("did not come to an end"));
  EXPECT_THAT(run.err, HasSubstr("at 0s pause server for 24h"));
  EXPECT_THAT(run.err, HasSubstr("cirein simulate --scenario echo --seed 1 --plan FILE"));
}

TEST_F(VerbSimulateTest, ShrinksAFailureToWhatMatters) {
  const std::string plan =
      File("plan", "at 0s pause server for 24h\nat 5ms break server\nat 9ms kill client0 for 1s\n");
  const CommandRun run = Simulate({"--scenario", "echo", "--plan", plan, "--shrink"});
  EXPECT_EQ(run.code, kPartial);
  EXPECT_THAT(run.err, HasSubstr("at 0s pause server for 24h\nrun it again"));
  EXPECT_THAT(run.err, HasSubstr("--clients 1 --operations 1"));
  EXPECT_THAT(run.err, Not(HasSubstr("break")));
}

TEST_F(VerbSimulateTest, BadArgumentsAreTold) {
  EXPECT_THAT(Simulate({"--scenario", "stroe"}).err, HasSubstr("did you mean \"store\"?"));
  const std::string kept = File("kept", "old");
  EXPECT_NE(Simulate({"--scenario", "stroe", "--log", kept}).code, kOk);
  EXPECT_EQ(*ReadFile(kept, 100), "old");
  EXPECT_EQ(Simulate({"--scenario", "echo", "--seeds", "0"}).code, kUsage);
  EXPECT_EQ(Simulate({"--scenario", "echo", "--seeds", "2", "--log", kept}).code, kUsage);
  EXPECT_EQ(Simulate({"--scenario", "echo", "--fabric", "pigeon"}).code, kUsage);
  EXPECT_NE(Simulate({"--scenario", "echo", "--plan", directory_.File("nowhere")}).code, kOk);
  EXPECT_NE(Simulate({"--scenario", "echo", "--log", "/nowhere/at/all"}).code, kOk);
  const CommandRun bad = Simulate({"--scenario", "echo", "--plan", File("bad", "at 1s brk x")});
  EXPECT_NE(bad.code, kOk);
  EXPECT_THAT(bad.err, HasSubstr("bad"));
  EXPECT_THAT(bad.err, HasSubstr("line 1"));
  const std::string impossible = File("impossible", "at 1s kill moon for 1s");
  for (const char* seeds : {"1", "3"}) {
    const CommandRun run = Simulate({"--scenario", "echo", "--plan", impossible, "--seeds", seeds});
    EXPECT_NE(run.code, kOk);
    EXPECT_THAT(run.err, HasSubstr("no machine \"moon\""));
  }
}

}  // namespace
}  // namespace cirein
