// SPDX-License-Identifier: Apache-2.0
#include "runtime/sleep.h"

#include <optional>

#include <gtest/gtest.h>

#include "runtime/spawn.h"
#include "runtime/virtual_clock.h"
#include "runtime/virtual_timers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

TEST(Sleep, WakesWhenItsTimeHasCome) {
  VirtualClock clock;
  auto reactor = Reactor::Create(clock);
  ASSERT_TRUE(reactor.ok());
  Gate gate;
  int woken = 0;
  const auto body = [&]() -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE((co_await SleepFor(**reactor, 10ms)).ok());
      ++woken;
    }
  };
  ASSERT_TRUE(Spawn(gate, "sleeper", body()).ok());
  for (int i = 0; i < 3; ++i) {
    clock.Advance(9ms);
    (*reactor)->RunUntilIdle();
    EXPECT_EQ(woken, i);
    clock.Advance(1ms);
    (*reactor)->RunUntilIdle();
    EXPECT_EQ(woken, i + 1);
  }
  EXPECT_EQ(gate.count(), 0U);
}

TEST(Sleep, IsCutShortWhenTheTimersClose) {
  VirtualTimers timers;
  Gate gate;
  std::optional<Status> first;
  std::optional<Status> second;
  const auto body = [&]() -> Task<void> {
    first = co_await SleepUntil(timers, TimePoint(10));
    second = co_await SleepUntil(timers, TimePoint(20));
  };
  ASSERT_TRUE(Spawn(gate, "sleeper", body()).ok());
  timers.Close();
  EXPECT_EQ(first.value().code(), StatusCode::kUnavailable);
  EXPECT_EQ(second.value().code(), StatusCode::kUnavailable);
  EXPECT_EQ(gate.count(), 0U);
}

TEST(Sleep, ASleeperThatIsDestroyedTakesItsTimerAlong) {
  VirtualTimers timers;
  struct Driver {
    struct promise_type {
      Driver get_return_object() {
        return {std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      std::suspend_never initial_suspend() const noexcept { return {}; }
      std::suspend_always final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept {}
    };
    std::coroutine_handle<promise_type> handle;
  };
  const auto body = [&]() -> Driver {
    static_cast<void>(co_await SleepUntil(timers, TimePoint(10)));
    ADD_FAILURE() << "woken after its end";
  };
  Driver driver = body();
  EXPECT_EQ(timers.NextTimer(), TimePoint(10));
  driver.handle.destroy();
  EXPECT_EQ(timers.NextTimer(), kEndOfTime);
  timers.Close();
}

}  // namespace
}  // namespace cirein
