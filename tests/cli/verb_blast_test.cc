// SPDX-License-Identifier: Apache-2.0
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_test.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

CommandRun Blast(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"blast", "-k", "500", "-n", "2000", "-t", "2", "-o", "csv"});
  return RunForTest(std::move(arguments));
}

// The cell of a row and column in CSV without quotes.
std::string Cell(const std::string& csv, const std::string& row, const std::string& column) {
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  const auto split = [](const std::string& text) {
    std::vector<std::string> cells;
    std::istringstream stream(text);
    for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
    return cells;
  };
  const std::vector<std::string> titles = split(line);
  while (std::getline(lines, line)) {
    const std::vector<std::string> cells = split(line);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[0] == row && titles[i] == column) return cells[i];
    }
  }
  return "";
}

TEST(VerbBlastTest, EveryWorkloadReadsBackWhatItWrote) {
  for (const char* const workload : {"ycsb-a", "ycsb-b", "ycsb-c", "ycsb-d", "ycsb-e", "ycsb-f"}) {
    const CommandRun run =
        Blast({"local:[blast-test]", "-w", workload, "--verify", "-s", "16-300"});
    EXPECT_EQ(run.code, 0) << workload << "\n" << run.err;
    EXPECT_EQ(Cell(run.out, "all", "count"), "2000") << run.out;
    EXPECT_EQ(Cell(run.out, "all", "wrong"), "0");
  }
}

TEST(VerbBlastTest, EveryWorkloadRunsOnNull) {
  for (const char* const workload : {"ycsb-a", "ycsb-b", "ycsb-c", "ycsb-d", "ycsb-e", "ycsb-f"}) {
    const CommandRun run = Blast({"null:", "-w", workload});
    EXPECT_EQ(run.code, 0) << workload << "\n" << run.err;
    EXPECT_EQ(Cell(run.out, "all", "count"), "2000");
  }
}

TEST(VerbBlastTest, VerifyFindsAPoolThatForgets) {
  for (const char* const workload : {"ycsb-c", "ycsb-e"}) {
    const CommandRun run = Blast({"null:", "-w", workload, "--verify"});
    EXPECT_EQ(run.code, 5);
    EXPECT_NE(Cell(run.out, "all", "wrong"), "0");
    EXPECT_THAT(run.err, HasSubstr("the first failure was"));
  }
}

TEST(VerbBlastTest, OwnMixesAndPlainScans) {
  const CommandRun run = Blast({"--read", "1", "--insert", "1", "--scan", "1", "--columns", "1",
                                "--distribution", "latest", "--verify"});
  EXPECT_EQ(run.code, 0) << run.err;
  for (const char* const verb : {"read", "insert", "scan"}) {
    EXPECT_GT(std::stoul(Cell(run.out, verb, "count")), 500U) << verb;
  }
  EXPECT_EQ(Cell(run.out, "update", "count"), "");
}

TEST(VerbBlastTest, OneThreadAndOneSeedRepeatARun) {
  const auto reads = [](const std::string& seed) {
    return Cell(Blast({"null:", "-t", "1", "--seed", seed}).out, "read", "count");
  };
  EXPECT_EQ(reads("42"), reads("42"));
  EXPECT_NE(reads("42"), "");
}

TEST(VerbBlastTest, AnOpenLoopKeepsItsRate) {
  const CommandRun run = RunForTest(
      {"blast", "null:", "-k", "10", "-n", "40", "--rate", "400", "-o", "json", "--seed", "1"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\"loop\":\"open\""));
  // 40 requests at 400 a second end no sooner than 39/400 s after the start.
  const std::size_t at = run.out.find("\"run_ns\":");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GE(std::stoull(run.out.substr(at + 9)), 97'000'000U);
}

TEST(VerbBlastTest, AFullStoreIsCountedNotFatal) {
  const CommandRun run = Blast({"--set", "memory.limit=1MiB", "--insert", "1", "-s", "4KiB"});
  // Whether the load or the run meets the limit first, it is told.
  EXPECT_TRUE(run.code == 5 || run.code == 6) << run.code;
  EXPECT_THAT(run.err, HasSubstr("memory.limit"));
}

TEST(VerbBlastTest, WrongUse) {
  EXPECT_EQ(RunForTest({"blast", "nosuch:/x"}).code, 2);
  const CommandRun mistyped = RunForTest({"blast", "locl:"});
  EXPECT_EQ(mistyped.code, 2);
  EXPECT_THAT(mistyped.err, HasSubstr("did you mean \"local\"?"));
  EXPECT_EQ(RunForTest({"blast", "local:&keep=x"}).code, 1);
  EXPECT_EQ(RunForTest({"blast", "--keys", "0"}).code, 1);
  EXPECT_EQ(RunForTest({"blast", "--verify", "-s", "8"}).code, 1);
  EXPECT_EQ(RunForTest({"blast", "--read", "0"}).code, 1);
  const CommandRun huge = RunForTest({"blast", "-k", "1000000000", "-s", "4GiB"});
  EXPECT_EQ(huge.code, 6);
  EXPECT_THAT(huge.err, HasSubstr("--keys"));
}

}  // namespace
}  // namespace cirein
