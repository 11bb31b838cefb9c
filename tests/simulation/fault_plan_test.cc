// SPDX-License-Identifier: Apache-2.0
#include "simulation/fault_plan.h"

#include <array>
#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::simulation {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const std::array<FaultTarget, 3> kTargets = {
    FaultTarget{.name = "node", .may_stop = true, .may_lose_power = true, .may_fill = true},
    FaultTarget{.name = "client", .may_stop = true}, FaultTarget{.name = "rock"}};

std::string ErrorOf(std::string_view text) {
  return std::string(FaultPlan::Parse(text).status().message());
}
std::string WhyImpossible(std::string_view text) {
  const Result<FaultPlan> plan = FaultPlan::Parse(text);
  EXPECT_OK(plan);
  return plan->Check(kTargets).ToString();
}

TEST(FaultPlanTest, ReadsWhatItWrites) {
  const std::string text =
      "at 0s kill node for 1ms\n"
      "at 5ms power node for 1s\n"
      "at 1500ms pause client for 20us\n"
      "at 1600ms slow client by 9 for 3s\n"
      "at 2s cut node to client for 1h\n"
      "at 2s delay client to node by 1000 for 1ns\n"
      "at 3s break node\n"
      "at 3s full node for 7ms\n";
  const Result<FaultPlan> plan = FaultPlan::Parse(text);
  ASSERT_OK(plan);
  EXPECT_EQ(plan->faults().size(), 8U);
  EXPECT_EQ(plan->ToString(), text);
  EXPECT_OK(plan->Check(kTargets));
}

TEST(FaultPlanTest, IsInTheOrderOfTimeAndHasComments) {
  const Result<FaultPlan> plan =
      FaultPlan::Parse("# two faults\n\n  at 2s break node # late\r\nat 1s break client\n");
  ASSERT_OK(plan);
  EXPECT_EQ(plan->ToString(), "at 1s break client\nat 2s break node\n");
  EXPECT_EQ(plan->Without(0, 1).ToString(), "at 2s break node\n");
}

TEST(FaultPlanTest, SaysWhichLineIsWrong) {
  EXPECT_THAT(ErrorOf("at 1s break node\nat 1s brake node"), HasSubstr("line 2"));
  EXPECT_THAT(ErrorOf("at 1s beak node"), HasSubstr("did you mean \"break\"?"));
  EXPECT_THAT(ErrorOf("soon kill node for 1s"), HasSubstr("at TIME KIND"));
  EXPECT_THAT(ErrorOf("at 1s kill node"), HasSubstr("for TIME"));
  EXPECT_THAT(ErrorOf("at 1s kill node for"), HasSubstr("for TIME"));
  EXPECT_THAT(ErrorOf("at 1s kill node for 1s for 2s"), HasSubstr("not expected"));
  EXPECT_THAT(ErrorOf("at 1s kill node by 3 for 2s"), HasSubstr("not expected"));
  EXPECT_THAT(ErrorOf("at 1s slow node by 0 for 2s"), HasSubstr("factor"));
  EXPECT_THAT(ErrorOf("at 1s cut node for 2s"), HasSubstr("to MACHINE"));
  EXPECT_FALSE(FaultPlan::Parse("at -1s break node").ok());
  EXPECT_FALSE(FaultPlan::Parse(std::string(3 << 20, '#')).ok());
  std::string many;
  for (std::size_t i = 0; i <= FaultPlan::kMaxFaults; ++i) many += "at 1s break node\n";
  EXPECT_THAT(ErrorOf(many), HasSubstr("at most 1000"));
}

TEST(FaultPlanTest, SaysWhatIsImpossible) {
  EXPECT_THAT(WhyImpossible("at 1s break nod"), HasSubstr("did you mean \"node\"?"));
  EXPECT_THAT(WhyImpossible("at 1s cut node to moon for 1s"), HasSubstr("no machine \"moon\""));
  EXPECT_THAT(WhyImpossible("at 1s cut node to node for 1s"), HasSubstr("both ends"));
  EXPECT_THAT(WhyImpossible("at 1s power client for 1s"), HasSubstr("does not allow"));
  EXPECT_THAT(WhyImpossible("at 1s kill rock for 1s"), HasSubstr("does not allow"));
  EXPECT_THAT(WhyImpossible("at 1s full client for 1s"), HasSubstr("does not allow"));
  EXPECT_THAT(WhyImpossible("at 1s kill node for 0s"), HasSubstr("no time"));
  EXPECT_THAT(WhyImpossible("at 25h break node"), HasSubstr("a day"));
  EXPECT_THAT(WhyImpossible("at 1s kill node for 1s\nat 1500ms pause node for 1s"),
              HasSubstr("node is down then"));
  EXPECT_OK(
      FaultPlan::Parse("at 1s kill node for 1s\nat 1500ms pause client for 1s")->Check(kTargets));
}

TEST(FaultPlanTest, WhatIsDrawnIsPossibleAndFollowsFromItsSeed) {
  Random random(test::Seed());
  std::size_t faults = 0;
  for (int round = 0; round < 200; ++round) {
    Random one = random.Fork();
    Random two = one;
    const FaultPlan plan = FaultPlan::Draw(one, kTargets, 2s, 20);
    EXPECT_OK(plan.Check(kTargets));
    EXPECT_EQ(plan.ToString(), FaultPlan::Draw(two, kTargets, 2s, 20).ToString());
    const Result<FaultPlan> parsed = FaultPlan::Parse(plan.ToString());
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->faults(), plan.faults());
    faults += plan.faults().size();
  }
  EXPECT_GT(faults, 200U);
}

}  // namespace
}  // namespace cirein::simulation
