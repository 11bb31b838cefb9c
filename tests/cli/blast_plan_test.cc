// SPDX-License-Identifier: Apache-2.0
#include "cli/blast_plan.h"

#include <numeric>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(BlastPlanTest, WorkloadsAreWhole) {
  for (const std::string_view name : {"ycsb-a", "ycsb-b", "ycsb-c", "ycsb-d", "ycsb-e", "ycsb-f"}) {
    BlastPlan plan;
    ASSERT_TRUE(ApplyWorkload(name, &plan).ok());
    EXPECT_DOUBLE_EQ(std::accumulate(plan.mix.begin(), plan.mix.end(), 0.0), 1.0) << name;
  }
  BlastPlan plan;
  ASSERT_TRUE(ApplyWorkload("ycsb-d", &plan).ok());
  EXPECT_EQ(plan.distribution, Distribution::kLatest);
  EXPECT_DOUBLE_EQ(plan.share(BlastVerb::kInsert), 0.05);
  EXPECT_EQ(ApplyWorkload("ycsb-g", &plan).code(), StatusCode::kInvalidArgument);
}

TEST(BlastPlanTest, ValueSizes) {
  BlastPlan plan;
  ASSERT_TRUE(ParseValueSize("64-4KiB", &plan).ok());
  EXPECT_EQ(plan.value_bytes_least, 64U);
  EXPECT_EQ(plan.value_bytes_most, 4096U);
  ASSERT_TRUE(ParseValueSize("0", &plan).ok());
  EXPECT_EQ(plan.value_bytes_most, 0U);
  for (const std::string_view bad : {"", "-", "5-", "-5", "9-8", "1TiB", "a-b"}) {
    EXPECT_EQ(ParseValueSize(bad, &plan).code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(BlastPlanTest, RefusesWhatCannotBeRun) {
  BlastPlan good;
  ASSERT_TRUE(ApplyWorkload("ycsb-a", &good).ok());
  good.ops = 1;
  ASSERT_TRUE(good.Validate().ok());
  const auto refused = [&good](auto change) {
    BlastPlan plan = good;
    change(plan);
    return plan.Validate().code() == StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](BlastPlan& plan) { plan.mix = {}; }));
  EXPECT_TRUE(refused([](BlastPlan& plan) { plan.ops.reset(); }));
  EXPECT_TRUE(refused([](BlastPlan& plan) { plan.duration = std::chrono::seconds(0); }));
  EXPECT_TRUE(refused([](BlastPlan& plan) { plan.deadline = std::chrono::seconds(0); }));
  EXPECT_TRUE(refused([](BlastPlan& plan) {
    plan.value_bytes_least = 15;
    plan.checks = BlastPlan::Checks::kEveryValue;
  }));
}

}  // namespace
}  // namespace cirein
