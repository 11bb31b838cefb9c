// SPDX-License-Identifier: Apache-2.0
#include "runtime/timer_queue.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace cirein {
namespace {

TEST(TimerQueue, GivesWorkInOrderOfTimeThenOfArrival) {
  TimerQueue queue;
  std::vector<int> ran;
  const auto note = [&ran](int i) { return [&ran, i] { ran.push_back(i); }; };
  queue.Add(TimePoint(20), note(3));
  queue.Add(TimePoint(10), note(1));
  queue.Add(TimePoint(20), note(4));
  queue.Add(TimePoint(10), note(2));
  EXPECT_EQ(queue.Next(), TimePoint(10));
  EXPECT_EQ(queue.PopDue(TimePoint(9)), nullptr);
  while (auto work = queue.PopDue(TimePoint(20))) work();
  EXPECT_EQ(ran, (std::vector{1, 2, 3, 4}));
  EXPECT_EQ(queue.Next(), kEndOfTime);
}

TEST(TimerQueue, CancelGivesTheWorkBackAtOnce) {
  TimerQueue queue;
  auto held = std::make_shared<int>(1);
  const TimerQueue::TimerId id = queue.Add(TimePoint(10), [held] {});
  EXPECT_EQ(held.use_count(), 2);
  EXPECT_NE(queue.Cancel(id), nullptr);
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(queue.Cancel(id), nullptr);
  EXPECT_TRUE(queue.empty());
}

TEST(TimerQueue, KnowsAnOldIdFromANewOneInItsPlace) {
  TimerQueue queue;
  const auto first = queue.Add(TimePoint(1), [] {});
  ASSERT_NE(queue.PopDue(TimePoint(1)), nullptr);
  const auto second = queue.Add(TimePoint(1), [] {});
  EXPECT_NE(first, second);
  EXPECT_EQ(queue.Cancel(first), nullptr);
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.Cancel(0), nullptr);
  EXPECT_EQ(queue.Cancel(UINT64_MAX), nullptr);
}

TEST(TimerQueue, AgreesWithASortedMap) {
  Random random(test::Seed());
  TimerQueue queue;
  std::map<std::pair<TimePoint, std::uint64_t>, TimerQueue::TimerId> model;
  std::uint64_t order = 0;
  std::uint64_t ran = UINT64_MAX;
  for (int step = 0; step < 50'000; ++step) {
    const std::uint64_t dice = random.Below(10);
    if (dice < 5) {
      const TimePoint when(static_cast<std::int64_t>(random.Below(1000)));
      const auto id = queue.Add(when, [&ran, order] { ran = order; });
      model[{when, order++}] = id;
    } else if (dice < 8 && !model.empty()) {
      const auto chosen =
          std::next(model.begin(), static_cast<std::ptrdiff_t>(random.Below(model.size())));
      ASSERT_NE(queue.Cancel(chosen->second), nullptr);
      model.erase(chosen);
    } else if (!model.empty()) {
      ASSERT_EQ(queue.Next(), model.begin()->first.first);
      queue.PopDue(queue.Next())();
      ASSERT_EQ(ran, model.begin()->first.second);
      model.erase(model.begin());
    }
    ASSERT_EQ(queue.size(), model.size());
  }
}

}  // namespace
}  // namespace cirein
