// SPDX-License-Identifier: Apache-2.0
#include "cirein/result_collector.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "runtime/thread_group.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;

class ResultCollectorTest : public test::LibraryTest {};

TEST(ResultCollectorAlone, WithoutCallsHasNothingToWaitFor) {
  ResultCollector collector;
  EXPECT_OK(collector.Wait(0ms));
  EXPECT_EQ(collector.pending(), 0U);
  EXPECT_TRUE(collector.results().empty());
  collector.Clear();
  EXPECT_OK(collector.Wait());
}

TEST_F(ResultCollectorTest, KeepsTheOrderOfTheCalls) {
  Pool pool = Open();
  ResultCollector collector;
  for (int i = 0; i < 100; ++i) pool.Want(Key(std::to_string(i)), collector);
  EXPECT_EQ(collector.pending(), 100U);
  for (int i = 99; i >= 0; --i) ASSERT_OK(pool.Publish(Key(std::to_string(i)), MakeObject("x")));
  ASSERT_OK(collector.Wait());
  const auto results = collector.results();
  ASSERT_EQ(results.size(), 100U);
  for (int i = 0; i < 100; ++i) {
    const auto& entry = results[static_cast<std::size_t>(i)];
    EXPECT_EQ(entry.key, Key(std::to_string(i)));
    EXPECT_TRUE(entry.done);
    EXPECT_OK(entry.status);
  }
}

TEST_F(ResultCollectorTest, TellsHowManyHaveNotCome) {
  Pool pool = Open();
  ResultCollector collector;
  pool.Want(Key("there"), collector);
  pool.Want(Key("not"), collector);
  ASSERT_OK(pool.Publish(Key("there"), MakeObject("x")));
  for (const Deadline deadline : {Deadline(0ms), Deadline(2ms)}) {
    const Status late = collector.Wait(deadline);
    EXPECT_CODE(late, kDeadlineExceeded);
    EXPECT_NE(late.message().find("1 of 2"), std::string::npos) << late.ToString();
  }
  EXPECT_TRUE(collector.results()[0].done);
  EXPECT_FALSE(collector.results()[1].done);
  ASSERT_OK(pool.Publish(Key("not"), MakeObject("x")));
  EXPECT_OK(collector.Wait());
}

TEST_F(ResultCollectorTest, CollectsErrorsToo) {
  Pool pool = Open();
  ResultCollector collector;
  pool.Want(Key("row"), collector, {.deadline = 1ms});
  Operation cancelled = pool.Want(Key("row"), collector);
  EXPECT_TRUE(cancelled.Cancel());
  ASSERT_OK(collector.Wait()) << "OK says only that all are there";
  EXPECT_CODE(collector.results()[0].status, kDeadlineExceeded);
  EXPECT_CODE(collector.results()[1].status, kCancelled);
}

TEST_F(ResultCollectorTest, ClearForgetsAndDiscardsWhatComesLater) {
  Pool pool = Open();
  ResultCollector collector;
  pool.Want(Key("old"), collector);
  collector.Clear();
  EXPECT_EQ(collector.pending(), 0U);
  pool.Want(Key("new"), collector);
  ASSERT_OK(pool.Publish(Key("old"), MakeObject("old")));
  EXPECT_EQ(collector.pending(), 1U) << "an old answer is no answer to a new call";
  ASSERT_OK(pool.Publish(Key("new"), MakeObject("new")));
  ASSERT_OK(collector.Wait());
  ASSERT_EQ(collector.results().size(), 1U);
  EXPECT_EQ(collector.results()[0].object.text(), "new");
}

TEST_F(ResultCollectorTest, ClearEndsAWait) {
  Pool pool = Open();
  ResultCollector collector;
  pool.Want(Key("never"), collector);
  ASSERT_OK(RunThreads(2, "clear", [&](std::size_t index) {
    if (index == 0) return collector.Wait(test::kPatience);
    collector.Clear();
    return OkStatus();
  }));
}

TEST_F(ResultCollectorTest, MayBeDestroyedEarly) {
  Pool pool = Open();
  auto token = std::make_shared<int>();
  {
    ResultCollector collector;
    pool.Want(Key("row"), collector);
    pool.Want(Key("row"), collector);
  }
  EXPECT_OK(pool.Publish(Key("row"), MakeObject("x")));
  for (int i = 0; i < 200; ++i) {
    auto collector = std::make_unique<ResultCollector>();
    const Key key("race", std::to_string(i));
    pool.Want(key, *collector);
    ASSERT_OK(RunThreads(2, "destroy", [&](std::size_t index) {
      if (index == 1) return pool.Publish(key, MakeObject("x")).status();
      collector.reset();
      return OkStatus();
    }));
  }
}

TEST_F(ResultCollectorTest, LetsGoOfObjectsWithItsResults) {
  Pool pool = Open();
  DataObject object = MakeObject("x");
  ResultCollector collector;
  pool.Want(Key("row"), collector);
  ASSERT_OK(pool.Publish(Key("row"), object));
  ASSERT_OK(collector.Wait());
  ASSERT_OK(pool.Drop(Key("row")));
  EXPECT_GE(object.use_count(), 2U);
  collector.Clear();
  EXPECT_TRUE(test::Eventually([&] { return object.use_count() == 1; }));
}

TEST_F(ResultCollectorTest, ServesManyThreads) {
  constexpr std::size_t kThreads = 100;
  constexpr std::size_t kCalls = 20;
  Pool pool = Open();
  ResultCollector collector;
  ASSERT_OK(RunThreads(kThreads, "collect", [&](std::size_t index) {
    for (std::size_t i = 0; i < kCalls; ++i) {
      const Key key(std::to_string(index), std::to_string(i));
      pool.Want(key, collector);
      pool.Publish(key, MakeObject(std::to_string(index)), collector);
    }
    return collector.Wait(test::kPatience);
  }));
  ASSERT_OK(collector.Wait());
  const auto results = collector.results();
  ASSERT_EQ(results.size(), kThreads * kCalls * 2);
  for (const auto& entry : results) {
    ASSERT_OK(entry.status);
    if (entry.kind != ResultCollector::Kind::kWant) continue;
    ASSERT_EQ(entry.object.text(), entry.key.row());
  }
}

TEST_F(ResultCollectorTest, IsFilledWhenTheLibraryFinishes) {
  ResultCollector collector;
  {
    Pool pool = Open();
    for (int i = 0; i < 50; ++i) pool.Want(Pattern::RowPrefix("never"), collector);
    pool.Want(Key("never"), collector);
  }
  FinishNow();
  ASSERT_OK(collector.Wait());
  for (const auto& entry : collector.results()) EXPECT_CODE(entry.status, kUnavailable);
}

}  // namespace
}  // namespace cirein
