// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "runtime/clock.h"

namespace cirein {

/// Something that happens once, and threads that wait for it: polls a little, yields, then blocks
/// (waking a sleeping core costs 20 us and more; spinning when both sides share a core costs
/// milliseconds; docs/design-notes.md has the measurements). Waits on real time only: code that must
/// run in virtual time uses callbacks or Tasks instead. Thread-safe.
class Notification {
 public:
  /// Happens; a second call does nothing. May be called by a thread whose waiter destroys this object
  /// as soon as it returns from WaitUntil.
  void Notify();
  bool HasHappened() const noexcept { return happened_.load(std::memory_order_acquire); }
  /// True when it happened by `end` on the real monotonic clock (RealClock::Now).
  bool WaitUntil(TimePoint end);

 private:
  std::atomic<bool> happened_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace cirein
