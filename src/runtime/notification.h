// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/clock.h"

namespace cirein {

/// Something that happens once, and threads that wait for it: polls a little, yields, then blocks
/// (waking a sleeping core costs 20 us and more; spinning when both sides share a core costs
/// milliseconds; docs/design-notes.md has the measurements). Waits on real time only: code that
/// must run in virtual time uses callbacks or Tasks instead. Thread-safe.
///
/// It is one 32-bit futex word and no lock, so that Notify's last touch of the object is the very
/// store which lets a waiter go on: the waiter may destroy it at that instant.
class Notification {
 public:
  Notification() noexcept = default;
  Notification(const Notification&) = delete;
  Notification& operator=(const Notification&) = delete;

  /// Happens; a second call does nothing. May be called by a thread whose waiter destroys this
  /// object as soon as it returns from WaitUntil or sees HasHappened. Does not block.
  void Notify() noexcept;
  bool HasHappened() const noexcept { return state_.load(std::memory_order_acquire) == kHappened; }
  /// True when it happened by `end` on the real monotonic clock (RealClock::Now). Any number of
  /// threads may wait.
  bool WaitUntil(TimePoint end) noexcept;

 private:
  // Quiet: nobody sleeps, so that Notify needs no system call. Waiters move it to awaited before
  // they sleep, and only Notify moves it to happened, where it stays.
  enum State : std::uint32_t { kQuiet = 0, kAwaited = 1, kHappened = 2 };

  std::atomic<std::uint32_t> state_{kQuiet};
};

}  // namespace cirein
