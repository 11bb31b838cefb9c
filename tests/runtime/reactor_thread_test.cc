// SPDX-License-Identifier: Apache-2.0
#include "runtime/reactor_thread.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "runtime/notification.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

TEST(ReactorThread, RunsTheLoopOnItsOwnThread) {
  auto started = ReactorThread::Start(RealClock::Instance(), {.name = "loop"});
  ASSERT_TRUE(started.ok());
  ReactorThread& loop = **started;
  std::thread::id id;
  Notification ran;
  ASSERT_TRUE(loop.reactor()
                  .Post([&] {
                    id = std::this_thread::get_id();
                    ran.Notify();
                  })
                  .ok());
  ASSERT_TRUE(ran.WaitUntil(RealClock::MonotonicNow() + 60s));
  EXPECT_NE(id, std::this_thread::get_id());
}

TEST(ReactorThread, StopRunsPostsThatWaitAndRefusesLaterOnes) {
  auto started = ReactorThread::Start(RealClock::Instance());
  ASSERT_TRUE(started.ok());
  ReactorThread& loop = **started;
  std::atomic<int> ran{0};
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(loop.reactor().Post([&] { ++ran; }).ok());
  loop.Stop();
  loop.Stop();
  EXPECT_EQ(ran, 1000);
  EXPECT_EQ(loop.reactor().Post([] {}).code(), StatusCode::kUnavailable);
  EXPECT_EQ(loop.reactor().RunAt(TimePoint::zero(), [] {}), 0U);
}

}  // namespace
}  // namespace cirein
