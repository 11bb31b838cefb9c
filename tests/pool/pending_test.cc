// SPDX-License-Identifier: Apache-2.0
#include "pool/pending.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "runtime/thread_group.h"
#include "runtime/virtual_environment.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using IntPending = Pending<int>;

/// A backend's handle that counts how often it was cancelled.
class CountingImpl : public Operation::Impl {
 public:
  bool Cancel() override {
    ++cancels;
    return true;
  }
  bool done() const override { return false; }
  std::atomic<int> cancels{0};
};

class PendingTest : public testing::Test {
 protected:
  ~PendingTest() override {
    table_.Close(Unavailable("the test is over"));  // A table keeps what is pending.
    world_.RunReady();
  }

  std::shared_ptr<IntPending> Make(PendingTable& table,
                                   Delivery delivery = Delivery::kOnCallbackThread) {
    return std::make_shared<IntPending>(
        nullptr, table, environment_, "need \"row\"",
        [this](Result<int> result) {
          ++answers_;
          last_ = std::move(result);
        },
        delivery);
  }

  VirtualEnvironment world_;
  const Environment environment_ = world_.environment();  // Outlives what is pending.
  PendingTable table_{10};
  std::shared_ptr<CountingImpl> impl_ = std::make_shared<CountingImpl>();
  int answers_ = 0;
  Result<int> last_ = NotFound("not answered");
};

TEST_F(PendingTest, AnswersOnTheCallbackExecutor) {
  const auto pending = Make(table_);
  ASSERT_TRUE(pending->Begin());
  Operation operation = pending->Started(Operation(impl_), kEndOfTime);
  EXPECT_FALSE(operation.done());
  EXPECT_EQ(table_.count(), 1U);
  pending->Sink()(7);
  EXPECT_TRUE(operation.done());
  EXPECT_EQ(answers_, 0) << "not on the thread that answers";
  EXPECT_EQ(table_.count(), 1U) << "it counts until its callback has run";
  world_.RunReady();
  EXPECT_EQ(answers_, 1);
  EXPECT_EQ(*last_, 7);
  EXPECT_EQ(table_.count(), 0U);
  EXPECT_FALSE(operation.Cancel());
  EXPECT_EQ(impl_->cancels, 0);
}

TEST_F(PendingTest, AnswersInPlaceWhenItMay) {
  const auto pending = Make(table_, Delivery::kInPlace);
  ASSERT_TRUE(pending->Begin());
  pending->Sink()(7);
  EXPECT_EQ(answers_, 1);
  EXPECT_TRUE(pending->Started(Operation(), kEndOfTime).done()) << "answered while it began";
  EXPECT_EQ(table_.count(), 0U);
}

TEST_F(PendingTest, OnlyTheFirstAnswerCounts) {
  const auto pending = Make(table_);
  ASSERT_TRUE(pending->Begin());
  pending->Started(Operation(impl_), world_.clock().Now() + 1s);
  pending->Sink()(7);
  pending->Sink()(8);
  EXPECT_FALSE(pending->Cancel());
  pending->Expire();
  world_.RunFor(10s);
  EXPECT_EQ(answers_, 1);
  EXPECT_EQ(*last_, 7);
}

TEST_F(PendingTest, CancelTellsTheBackend) {
  const auto pending = Make(table_);
  ASSERT_TRUE(pending->Begin());
  Operation operation = pending->Started(Operation(impl_), kEndOfTime);
  EXPECT_TRUE(operation.Cancel());
  EXPECT_FALSE(operation.Cancel());
  EXPECT_EQ(impl_->cancels, 1);
  world_.RunReady();
  EXPECT_CODE(last_, kCancelled);
  EXPECT_NE(last_.status().message().find("need \"row\""), std::string::npos);
  pending->Sink()(7);
  world_.RunReady();
  EXPECT_EQ(answers_, 1);
}

TEST_F(PendingTest, TheDeadlineTellsTheBackend) {
  const auto pending = Make(table_);
  ASSERT_TRUE(pending->Begin());
  pending->Started(Operation(impl_), world_.clock().Now() + 5s);
  world_.RunFor(5s - 1ns);
  EXPECT_EQ(answers_, 0);
  world_.RunFor(1ns);
  EXPECT_EQ(answers_, 1);
  EXPECT_CODE(last_, kDeadlineExceeded);
  EXPECT_EQ(impl_->cancels, 1);
}

TEST_F(PendingTest, AnAnswerTakesItsTimerAway) {
  const auto pending = Make(table_);
  ASSERT_TRUE(pending->Begin());
  pending->Started(Operation(impl_), world_.clock().Now() + 5s);
  EXPECT_NE(world_.timers().NextTimer(), kEndOfTime);
  pending->Sink()(7);
  EXPECT_EQ(world_.timers().NextTimer(), kEndOfTime);
}

TEST_F(PendingTest, ACancelBeforeTheBackendsHandleIsThereReachesItLater) {
  const auto pending = Make(table_);
  ASSERT_TRUE(pending->Begin());
  table_.Close(Unavailable("closed"));  // While the backend is still being asked.
  EXPECT_TRUE(pending->Started(Operation(impl_), world_.clock().Now() + 1s).done());
  EXPECT_EQ(impl_->cancels, 1);
  EXPECT_EQ(world_.timers().NextTimer(), kEndOfTime);
  world_.RunReady();
  EXPECT_EQ(answers_, 1);
  EXPECT_CODE(last_, kUnavailable);
}

TEST_F(PendingTest, RefusesMoreThanTheLimitInPlace) {
  std::vector<std::shared_ptr<IntPending>> all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(Make(table_));
    ASSERT_TRUE(all.back()->Begin());
  }
  EXPECT_FALSE(Make(table_)->Begin());
  EXPECT_EQ(answers_, 1);
  EXPECT_CODE(last_, kResourceExhausted);
  all[0]->Sink()(1);
  EXPECT_FALSE(Make(table_)->Begin()) << "its callback has not run";
  world_.RunReady();
  EXPECT_TRUE(Make(table_)->Begin());
}

TEST_F(PendingTest, CloseAnswersAllAndRefusesTheRest) {
  std::vector<std::shared_ptr<IntPending>> all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(Make(table_));
    ASSERT_TRUE(all.back()->Begin());
    all.back()->Started(Operation(impl_), kEndOfTime);
  }
  table_.Close(Unavailable("closed"));
  world_.RunReady();
  EXPECT_EQ(answers_, 10);
  EXPECT_EQ(impl_->cancels, 10);
  EXPECT_EQ(table_.count(), 0U);
  EXPECT_FALSE(Make(table_)->Begin());
  EXPECT_CODE(last_, kUnavailable);
  EXPECT_EQ(table_.count(), 0U);
}

TEST_F(PendingTest, AThrowingCallbackGivesItsPlaceBack) {
  auto pending = std::make_shared<IntPending>(
      nullptr, table_, environment_, "need", [](const Result<int>&) { throw 7; },
      Delivery::kOnCallbackThread);
  ASSERT_TRUE(pending->Begin());
  pending->Started(Operation(), kEndOfTime);
  pending->Sink()(7);
  world_.RunReady();
  EXPECT_EQ(world_.callbacks().failed(), 1U);
  EXPECT_EQ(table_.count(), 0U);
}

TEST_F(PendingTest, WithoutCallbacksAnswersWhereItIs) {
  world_.callbacks().Close();
  const auto pending = Make(table_);
  ASSERT_TRUE(pending->Begin());
  pending->Started(Operation(), kEndOfTime);
  pending->Sink()(7);
  EXPECT_EQ(answers_, 1) << "a late answer is not lost";
}

TEST_F(PendingTest, KeepsNothingAliveOnceAnswered) {
  auto token = std::make_shared<int>();
  auto pending = std::make_shared<IntPending>(
      nullptr, table_, environment_, "need", [token](const Result<int>&) {},
      Delivery::kOnCallbackThread);
  const std::weak_ptr<IntPending> weak = pending;
  ASSERT_TRUE(pending->Begin());
  Operation operation = pending->Started(Operation(impl_), world_.clock().Now() + 1h);
  pending->Sink()(7);
  world_.RunReady();
  EXPECT_EQ(token.use_count(), 1);
  pending.reset();
  operation = Operation();
  EXPECT_TRUE(weak.expired());
}

// Answer, cancel, deadline, the end of the library and the start itself, all at once.
TEST_F(PendingTest, AnswersOnceHoweverItIsRaced) {
  const std::uint64_t seed = test::Seed();
  constexpr int kRounds = 2000;
  for (int round = 0; round < kRounds; ++round) {
    PendingTable table(10);
    std::atomic<int> answers{0};
    auto impl = std::make_shared<CountingImpl>();
    auto pending = std::make_shared<IntPending>(
        nullptr, table, environment_, "need", [&](const Result<int>&) { ++answers; },
        round % 2 == 0 ? Delivery::kInPlace : Delivery::kOnCallbackThread);
    ASSERT_TRUE(pending->Begin());
    const auto sink = pending->Sink();
    std::atomic<bool> answered{false};
    ASSERT_OK(RunThreads(2, "race", [&](std::size_t index) {
      Random random(seed + static_cast<std::uint64_t>(round));
      const std::uint64_t rival = random.Below(4);
      if (index == 0) {
        pending->Started(Operation(impl), world_.clock().Now() + 1h);
        if (random.OneIn(2)) pending->Cancel();
      } else if (rival == 0) {
        sink(7);
        answered = true;
      } else if (rival == 1) {
        pending->Expire();
      } else if (rival == 2) {
        table.Close(Unavailable("closed"));
      } else {
        pending->Cancel();
      }
      return OkStatus();
    }));
    world_.RunReady();
    ASSERT_EQ(answers, 1);
    ASSERT_EQ(table.count(), 0U);
    ASSERT_EQ(world_.timers().NextTimer(), kEndOfTime) << "a timer was left behind";
    ASSERT_TRUE(answered || impl->cancels >= 1) << "the backend was not told";
  }
}

}  // namespace
}  // namespace cirein
