// SPDX-License-Identifier: Apache-2.0
// The system with one rule broken at a time (base/sabotage.h): a scenario must show it within 200
// seeds, and the seed that shows it must show the same again and again.
#include <cstdint>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/logging.h"
#include "base/sabotage.h"
#include "simulation/run.h"

namespace cirein::simulation {
namespace {

constexpr std::uint64_t kSeeds = 200;

struct Broken {
  const char* name;
  Sabotage how;
  const char* sign;  // What the violation says.
  const char* scenario = "store";
  std::optional<std::uint32_t> operations = std::nullopt;  // In place of what the seed draws.
};

class BrokenStoreTest : public testing::TestWithParam<Broken> {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kOff);
    sabotage = GetParam().how;
  }
  void TearDown() override { sabotage = Sabotage::kNone; }
};

INSTANTIATE_TEST_SUITE_P(
    Rules, BrokenStoreTest,
    testing::Values(
        Broken{"DropPersist", Sabotage::kDropBatchPersist, "not linearizable|does not start"},
        Broken{"ReuseVersion", Sabotage::kReuseVersion, "not linearizable"},
        Broken{"AnswerBeforePersist", Sabotage::kAnswerBeforeKept, "not linearizable"},
        Broken{"StaleCache", Sabotage::kServeStaleValue, "not linearizable"},
        Broken{"AnswerTwice", Sabotage::kAnswerTwice, "answered before"},
        Broken{"ReuseEpoch", Sabotage::kReuseEpoch, "epoch"},
        Broken{"ReplyBeforeKept", Sabotage::kAnswerBeforeKept, "not linearizable", "redis"},
        Broken{"IgnoreWatches", Sabotage::kIgnoreWatches, "not linearizable", "redis"},
        Broken{"HalfTransaction", Sabotage::kHalfGroups, "not linearizable", "redis", 200},
        Broken{"MemberAnswersTwice", Sabotage::kAnswerTwice, "answered before", "pools"},
        Broken{"RepeatUnknown", Sabotage::kRepeatUnknown, "not linearizable", "pools"},
        Broken{"ForgetLostWants", Sabotage::kForgetLostWants, "last questions.* want ", "pools"},
        Broken{"KeepGivenUpWants", Sabotage::kKeepGivenUpWants, "wait in the store", "pools"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_P(BrokenStoreTest, IsCaughtAndReplays) {
  RunRequest request;
  request.scenario = GetParam().scenario;
  request.operations = GetParam().operations;
  request.costs = fabric::CostModel::Tcp();
  std::optional<RunReport> failed;
  std::uint64_t runs = 0;
  const Status ran =
      RunSeeds(ScenarioTable::Builtin(), request, {1, kSeeds}, 2, [&](const RunReport& report) {
        ++runs;
        if (!report.ok()) failed = report;
        return report.ok();
      });
  ASSERT_TRUE(ran.ok()) << ran.ToString();
  ASSERT_TRUE(failed.has_value()) << "not caught in " << runs << " runs";
  RecordProperty("seed", static_cast<int>(failed->seed));
  RecordProperty("runs", static_cast<int>(runs));
  request.seed = failed->seed;
  EXPECT_THAT(failed->violations.front(), testing::ContainsRegex(GetParam().sign));
  for (int again = 0; again < 2; ++again) {
    const Result<RunReport> report = RunApart(ScenarioTable::Builtin(), request);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    // The stack of a crash has addresses in it, which each process has for itself.
    if (!failed->crashed) {
      EXPECT_EQ(report->violations, failed->violations);
    }
    EXPECT_FALSE(report->ok());
    EXPECT_EQ(report->digest, failed->digest);
  }
  sabotage = Sabotage::kNone;
  const Result<RunReport> whole = RunApart(ScenarioTable::Builtin(), request);
  ASSERT_TRUE(whole.ok());
  EXPECT_TRUE(whole->ok()) << "the fault is not that of the broken rule";
  std::printf("seed %llu, after %llu runs: %.200s\n", static_cast<unsigned long long>(failed->seed),
              static_cast<unsigned long long>(runs), failed->violations.front().c_str());
}

}  // namespace
}  // namespace cirein::simulation
