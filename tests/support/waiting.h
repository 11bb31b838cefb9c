// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "runtime/notification.h"
#include "runtime/real_clock.h"

namespace cirein::test {

/// Longer than anything takes that is not broken, sanitizers on a busy machine included.
inline constexpr std::chrono::seconds kPatience{150};

inline TimePoint EndOfPatience() { return RealClock::Instance().Now() + kPatience; }

/// Waits for something that happens once; false when patience ends.
inline bool Await(Notification& notification) { return notification.WaitUntil(EndOfPatience()); }

/// Waits until a number of things have happened. Thread-safe.
class Countdown {
 public:
  explicit Countdown(std::int64_t count) : left_(count) {
    if (count <= 0) zero_.Notify();
  }
  void CountDown() {
    if (left_.fetch_sub(1) == 1) zero_.Notify();
  }
  /// Negative when more happened than should.
  std::int64_t left() const { return left_.load(); }
  bool Wait() { return Await(zero_); }

 private:
  std::atomic<std::int64_t> left_;
  Notification zero_;
};

/// Waits for a condition that nobody announces; false when patience ends.
template <typename Condition>
bool Eventually(Condition condition) {
  const TimePoint end = EndOfPatience();
  while (!condition()) {
    if (RealClock::Instance().Now() >= end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace cirein::test
