// SPDX-License-Identifier: Apache-2.0
#include "runtime/one_shot.h"

#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "runtime/reactor_thread.h"
#include "runtime/real_clock.h"
#include "runtime/spawn.h"
#include "runtime/virtual_timers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

Task<void> Receive(OneShot<std::string> value, std::string* into) { *into = co_await value.Wait(); }

TEST(OneShot, GivesAValueThatWasSetBefore) {
  VirtualTimers timers;
  Gate gate;
  const OneShot<std::string> value(timers);
  EXPECT_TRUE(value.Set("first"));
  EXPECT_FALSE(value.Set("second"));
  std::string got;
  ASSERT_TRUE(Spawn(gate, "receiver", Receive(value, &got)).ok());
  EXPECT_EQ(got, "first");
}

TEST(OneShot, ResumesAtHome) {
  VirtualTimers timers;
  Gate gate;
  const OneShot<std::string> value(timers);
  std::string got;
  ASSERT_TRUE(Spawn(gate, "receiver", Receive(value, &got)).ok());
  std::thread([&] { EXPECT_TRUE(value.Set("text")); }).join();
  EXPECT_EQ(got, "");  // Not on the thread that sets.
  EXPECT_TRUE(timers.RunOne(TimePoint(1)));
  EXPECT_EQ(got, "text");
  EXPECT_EQ(gate.count(), 0U);
}

TEST(OneShot, ResumesWhenItsHomeCloses) {
  VirtualTimers timers;
  Gate gate;
  const OneShot<std::string> set_before(timers);
  const OneShot<std::string> set_after(timers);
  std::string before;
  std::string after;
  ASSERT_TRUE(Spawn(gate, "receiver", Receive(set_before, &before)).ok());
  ASSERT_TRUE(Spawn(gate, "receiver", Receive(set_after, &after)).ok());
  set_before.Set("before");
  timers.Close();
  EXPECT_EQ(before, "before");
  set_after.Set("after");
  EXPECT_EQ(after, "after");
  EXPECT_EQ(gate.count(), 0U);
}

TEST(OneShot, CarriesValuesBetweenThreads) {
  auto loop = ReactorThread::Start(RealClock::Instance());
  ASSERT_TRUE(loop.ok());
  Reactor& reactor = (*loop)->reactor();
  Gate gate;
  std::atomic<int> sum{0};
  const auto receive = [&sum](OneShot<int> value) -> Task<void> { sum += co_await value.Wait(); };
  for (int i = 0; i < 1000; ++i) {
    const OneShot<int> value(reactor);
    ASSERT_TRUE(reactor
                    .Post([&gate, &receive, value] {
                      EXPECT_TRUE(Spawn(gate, "receiver", receive(value)).ok());
                    })
                    .ok());
    value.Set(1);
  }
  // Stop runs the posts; whoever waits then is resumed by the closing of its home.
  (*loop)->Stop();
  EXPECT_TRUE(gate.CloseAndWait(RealClock::MonotonicNow() + 60s));
  EXPECT_EQ(sum, 1000);
}

}  // namespace
}  // namespace cirein
