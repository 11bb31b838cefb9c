// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <coroutine>
#include <memory>

#include "cirein/status.h"

#include "runtime/clock.h"
#include "runtime/reactor.h"
#include "runtime/timers.h"

namespace cirein {

/// The awaitable of SleepUntil and SleepFor. Belongs to the timers' thread.
class [[nodiscard]] Sleep {
 public:
  Sleep(TimerService& timers, TimePoint when) noexcept : timers_(timers), when_(when) {}
  Sleep(const Sleep&) = delete;
  Sleep& operator=(const Sleep&) = delete;
  /// A coroutine that is destroyed in its sleep takes its timer along.
  ~Sleep();

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> sleeper);
  Status await_resume() const;

 private:
  // Held by the timer's work: it wakes the sleeper when it runs, or when it is destroyed without
  // having run, because the service was closed.
  class Waker;
  enum class Outcome : unsigned char { kAsleep, kRested, kClosed };

  void WakeUp(Outcome outcome);

  TimerService& timers_;
  const TimePoint when_;
  std::coroutine_handle<> sleeper_;
  Waker* waker_ = nullptr;  // Not null while asleep.
  TimerService::TimerId timer_ = 0;
  Outcome outcome_ = Outcome::kAsleep;
};

/// `co_await` it in a coroutine that runs on the timers' own thread: OK when `when` has come, which
/// takes at least one round of the loop; Unavailable, at once, when the timers are or get closed.
inline Sleep SleepUntil(TimerService& timers, TimePoint when) { return Sleep(timers, when); }
inline Sleep SleepFor(Reactor& reactor, std::chrono::nanoseconds time) {
  return Sleep(reactor, reactor.clock().EndOf(Deadline(time)));
}

}  // namespace cirein
