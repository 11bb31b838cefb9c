// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_loop.h"

#include <string>

#include <gtest/gtest.h>

#include "bench/resp_echo.h"

namespace cirein::bench::resp {
namespace {

Workload Of(Operation operation) {
  Workload workload;
  workload.operation = operation;
  workload.pipeline = 4;
  return workload;
}

LoopPlan PlanOf(const Workload& workload) {
  LoopPlan plan;
  plan.workload = workload;
  plan.requests = 1001;
  plan.check_values = false;
  return plan;
}

TEST(LoopTest, MeasuresAsManyRequestsAsAsked) {
  for (const Operation operation :
       {Operation::kGet, Operation::kSet, Operation::kIncr, Operation::kMget10}) {
    Echo echo(Of(operation), "");
    LoopPlan plan = PlanOf(Of(operation));
    int begun = 0;
    int ended = 0;
    plan.begin = [&] { ++begun; };
    plan.end = [&] { ++ended; };
    const LoopResult result = RunLoop({echo.address(), {}, {}}, plan);
    EXPECT_EQ(result.requests, 1001U);
    EXPECT_EQ(result.latency.count(), 251U);
    EXPECT_EQ(result.missing, 0U);
    EXPECT_GT(result.seconds, 0);
    EXPECT_EQ(begun, 1);
    EXPECT_EQ(ended, 1);
  }
}

TEST(LoopTest, ServesManyConnections) {
  Echo echo(Of(Operation::kGet), "");
  LoopPlan plan = PlanOf(Of(Operation::kGet));
  plan.connections = 20;
  EXPECT_GE(RunLoop({echo.address(), {}, {}}, plan).requests, 1001U);
}

TEST(LoopTest, SendsMoreThanASocketTakesAtOnce) {
  Workload workload = Of(Operation::kSet);
  workload.value_bytes = std::size_t{4} << 20;
  Echo echo(workload, "");
  LoopPlan plan = PlanOf(workload);
  plan.requests = 8;
  EXPECT_EQ(RunLoop({echo.address(), {}, {}}, plan).requests, 8U);
  plan.connections = 3;
  EXPECT_GE(RunLoop({echo.address(), {}, {}}, plan).requests, 8U);
}

TEST(LoopDeathTest, AnErrorEndsTheRunWithItsText) {
  Workload other = Of(Operation::kGet);
  other.protocol = Protocol::kMemcached;
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        Echo echo(Of(Operation::kSet), "");
        // Long enough for one of the other's requests.
        LoopPlan plan = PlanOf(other);
        plan.workload.pipeline = 100;
        RunLoop({echo.address(), {}, {}}, plan);
      },
      testing::ExitedWithCode(1), "answers with an error: \\+OK");
}

TEST(LoopDeathTest, AValueOfAnotherKeyEndsTheRun) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        Echo echo(Of(Operation::kGet), "");
        LoopPlan plan = PlanOf(Of(Operation::kGet));
        plan.check_values = true;
        RunLoop({echo.address(), {}, {}}, plan);
      },
      testing::ExitedWithCode(1), "the value of s0000040[0-9a-f]+ begins with s000004000000000");
}

TEST(AddressTest, IsHostAndPort) {
  const Address address = ParseAddress("::1:6379");
  EXPECT_EQ(address.host, "::1");
  EXPECT_EQ(address.port, 6379);
  for (const char* text : {"", "host", "host:", "host:x", "host:0", "host:65536", "host:1x"}) {
    EXPECT_EXIT(ParseAddress(text), testing::ExitedWithCode(1), "no host:port") << text;
  }
}

}  // namespace
}  // namespace cirein::bench::resp
