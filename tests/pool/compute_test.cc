// SPDX-License-Identifier: Apache-2.0

// Compute through a pool: functions of the user that throw, last for ever, and come back.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;

constexpr int kThreadsMax = 3;

/// What the function "compute-test.stuck" waits for. One for all tests, because functions stay.
struct Stuck {
  std::atomic<int> inside{0};
  std::atomic<bool> released{true};
};
Stuck& TheStuck() {
  static Stuck& stuck = *new Stuck;
  return stuck;
}

Result<DataObject> WaitForRelease(const ComputeInput& /*input*/) {
  Stuck& stuck = TheStuck();
  ++stuck.inside;
  test::Eventually([&] { return stuck.released.load(); });
  --stuck.inside;
  return MakeObject("late");
}

void RegisterFunctions() {
  static const bool done = [] {
    EXPECT_OK(RegisterComputeFunction("compute-test.stuck", WaitForRelease));
    EXPECT_OK(RegisterComputeFunction(
        "compute-test.throw",
        [](const ComputeInput&) -> Result<DataObject> { throw std::runtime_error("user bug"); }));
    EXPECT_OK(RegisterComputeFunction(
        "compute-test.error", [](const ComputeInput& input) -> Result<DataObject> {
          return DataLoss("bad " + std::string(input.args), "look again");
        }));
    EXPECT_OK(RegisterComputeFunction("compute-test.columns",
                                      [](const ComputeInput& input) -> Result<DataObject> {
                                        std::string columns;
                                        for (const NamedObject& named : input.objects)
                                          columns += named.key.ToString() + ";";
                                        return MakeObject(columns);
                                      }));
    EXPECT_OK(RegisterComputeFunction(
        "compute-test.nested", [](const ComputeInput&) -> Result<DataObject> {
          CIREIN_ASSIGN_OR_RETURN(Pool pool, Connect("local:/test"));
          CIREIN_RETURN_IF_ERROR(pool.Publish(Key("by function"), MakeObject("x")).status());
          return pool.Need(Key("row"));
        }));
    return true;
  }();
  (void)done;
}

class ComputeTest : public test::LibraryTest {
 protected:
  ComputeTest()
      : LibraryTest(
            {{"compute.threads_max", std::to_string(kThreadsMax)}, {"compute.queue_max", "2"}}) {}
  void SetUp() override {
    RegisterFunctions();
    LibraryTest::SetUp();
    pool_ = Open();
    ASSERT_OK(pool_.Publish(Key("row"), MakeObject("plain")));
    ASSERT_OK(pool_.Publish(Key("row", "b"), MakeObject("bb")));
    ASSERT_OK(pool_.Publish(Key("row", "a"), MakeObject("a")));
  }
  void TearDown() override {
    TheStuck().released = true;
    EXPECT_TRUE(test::Eventually([] { return TheStuck().inside == 0; }));
    pool_ = Pool();
    LibraryTest::TearDown();
  }
  Pool pool_;
};

TEST_F(ComputeTest, SeesWhatMatchesInOrder) {
  EXPECT_EQ(pool_.Compute(Pattern::Row("row"), "compute-test.columns")->text(), "row;row|a;row|b;");
  EXPECT_EQ(pool_.Compute(Pattern::ColumnPrefix("row", "b"), "compute-test.columns")->text(),
            "row|b;");
  EXPECT_EQ(pool_.Compute(Key("row"), "compute-test.columns")->text(), "row;");
  EXPECT_CODE(pool_.Compute(Pattern::ColumnPrefix("row", "z"), "compute-test.columns"), kNotFound);
  EXPECT_CODE(pool_.Info(Key("late")), kNotFound) << "the result is not stored";
}

TEST_F(ComputeTest, TheFunctionsErrorReachesTheCaller) {
  const Status own = pool_.Compute(Key("row"), "compute-test.error", "luck").status();
  EXPECT_CODE(own, kDataLoss);
  EXPECT_EQ(own.message(), "bad luck");
  EXPECT_EQ(own.hint(), "look again");
  const Status thrown = pool_.Compute(Key("row"), "compute-test.throw").status();
  EXPECT_CODE(thrown, kAborted);
  EXPECT_NE(thrown.message().find("user bug"), std::string::npos);
  EXPECT_OK(pool_.Compute(Key("row"), "count")) << "the worker lives on";
}

TEST_F(ComputeTest, AnUnknownFunctionIsSuggestedANeighbour) {
  const Status unknown = pool_.Compute(Key("row"), "cuont").status();
  EXPECT_CODE(unknown, kNotFound);
  EXPECT_NE(unknown.hint().find("count"), std::string::npos) << unknown.ToString();
}

TEST_F(ComputeTest, AFunctionMayUseThePool) {
  EXPECT_EQ(pool_.Compute(Key("row"), "compute-test.nested")->text(), "plain");
  EXPECT_OK(pool_.Info(Key("by function")));
}

TEST_F(ComputeTest, AFunctionThatOutlastsTheDeadlineGoesOnAlone) {
  TheStuck().released = false;
  EXPECT_CODE(pool_.Compute(Key("row"), "compute-test.stuck", "", 10ms), kDeadlineExceeded);
  EXPECT_TRUE(test::Eventually([] { return TheStuck().inside == 1; }));
  EXPECT_EQ(pool_.Compute(Key("row"), "count")->text(), "1") << "a stuck worker is replaced";
}

TEST_F(ComputeTest, CancelDoesNotWaitForTheFunction) {
  TheStuck().released = false;
  ResultCollector collector;
  Operation compute = pool_.Compute(Key("row"), "compute-test.stuck", "", collector);
  EXPECT_TRUE(test::Eventually([] { return TheStuck().inside == 1; }));
  EXPECT_TRUE(compute.Cancel());
  ASSERT_OK(collector.Wait());
  EXPECT_CODE(collector.results()[0].status, kCancelled);
}

TEST_F(ComputeTest, StuckWorkersAreReplacedUpToABoundThenItRefuses) {
  TheStuck().released = false;
  ResultCollector collector;
  for (int i = 0; i < kThreadsMax; ++i) {
    pool_.Compute(Key("row"), "compute-test.stuck", "", collector, test::kPatience);
    ASSERT_TRUE(test::Eventually([&] { return TheStuck().inside == i + 1; }))
        << "another worker takes over";
  }
  // Once the last of them counts as stuck too, nobody is asked to wait for a miracle.
  Status refused;
  EXPECT_TRUE(test::Eventually([&] {
    refused = pool_.Compute(Key("row"), "count", "", 1ms).status();
    return refused.code() == StatusCode::kResourceExhausted;
  })) << refused.ToString();
  EXPECT_CODE(refused, kResourceExhausted);
  EXPECT_OK(pool_.Need(Key("row"))) << "all else goes on";

  TheStuck().released = true;
  ASSERT_OK(collector.Wait());
  for (const auto& entry : collector.results()) EXPECT_OK(entry.status);
  EXPECT_TRUE(test::Eventually([&] { return pool_.Compute(Key("row"), "count").ok(); }))
      << "it recovers";
}

TEST_F(ComputeTest, MoreThanTheQueueHoldsIsRefused) {
  TheStuck().released = false;
  ResultCollector collector;
  constexpr int kCalls = 20;
  for (int i = 0; i < kCalls; ++i) {
    pool_.Compute(Key("row"), "compute-test.stuck", "", collector, test::kPatience);
  }
  TheStuck().released = true;
  ASSERT_OK(collector.Wait());
  int refused = 0;
  for (const auto& entry : collector.results()) {
    if (entry.status.ok()) continue;
    EXPECT_CODE(entry.status, kResourceExhausted);
    ++refused;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, kCalls);
}

TEST_F(ComputeTest, FinishWaitsOnlyAMomentForAStuckFunction) {
  TheStuck().released = false;
  ResultCollector collector;
  pool_.Compute(Key("row"), "compute-test.stuck", "", collector, kNoDeadline);
  EXPECT_TRUE(test::Eventually([] { return TheStuck().inside == 1; }));
  pool_ = Pool();
  FinishNow();
  ASSERT_OK(collector.Wait());
  EXPECT_CODE(collector.results()[0].status, kUnavailable);
  EXPECT_EQ(TheStuck().inside, 1) << "and leaves it alone";
}

}  // namespace
}  // namespace cirein
