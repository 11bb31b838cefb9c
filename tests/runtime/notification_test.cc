// SPDX-License-Identifier: Apache-2.0
#include "runtime/notification.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/real_clock.h"
#include "runtime/thread.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

TimePoint After(std::chrono::nanoseconds time) { return RealClock::MonotonicNow() + time; }

TEST(Notification, HappensOnce) {
  Notification notification;
  EXPECT_FALSE(notification.HasHappened());
  notification.Notify();
  notification.Notify();
  EXPECT_TRUE(notification.HasHappened());
  EXPECT_TRUE(notification.WaitUntil(kEndOfTime));
  EXPECT_TRUE(notification.WaitUntil(TimePoint::min()));
}

TEST(Notification, DoesNotWaitForThePast) {
  Notification notification;
  EXPECT_FALSE(notification.WaitUntil(TimePoint::min()));
  EXPECT_FALSE(notification.WaitUntil(TimePoint::zero()));
}

TEST(Notification, WaitsUntilTheEndWithoutUsingTheProcessor) {
  Notification notification;
  const TimePoint end = After(100ms);
  const auto used_before = CurrentThreadCpuTime();
  EXPECT_FALSE(notification.WaitUntil(end));
  EXPECT_GE(RealClock::MonotonicNow(), end);
  EXPECT_LT(CurrentThreadCpuTime() - used_before, 20ms);
}

TEST(Notification, WakesAllWhoWait) {
  Notification notification;
  constexpr int kWaiters = 8;
  std::atomic<int> woken{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&] { woken += notification.WaitUntil(After(60s)) ? 1 : 0; });
  }
  // Half of them may sleep by now; the last one to come finds that it has happened.
  EXPECT_FALSE(notification.WaitUntil(After(2ms)));
  notification.Notify();
  for (auto& waiter : waiters) waiter.join();
  EXPECT_EQ(woken, kWaiters);
}

// The waiter frees the notification the moment it returns, at all stages of its waiting.
TEST(Notification, MayBeDestroyedByTheWaiterAtOnce) {
  constexpr int kRounds = 3'000;
  std::atomic<Notification*> handed{nullptr};
  std::thread notifier([&handed] {
    for (int i = 0; i < kRounds; ++i) {
      Notification* notification = nullptr;
      while ((notification = handed.exchange(nullptr)) == nullptr) std::this_thread::yield();
      for (int pause = i % 97; pause > 0; --pause) std::this_thread::yield();
      notification->Notify();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    auto notification = std::make_unique<Notification>();
    handed = notification.get();
    ASSERT_TRUE(notification->WaitUntil(After(60s)));
  }
  notifier.join();
}

}  // namespace
}  // namespace cirein
