// SPDX-License-Identifier: Apache-2.0
#include "runtime/notification.h"

#include <algorithm>
#include <climits>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>
#include <sys/syscall.h>

#include "runtime/adaptive_wait.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t),
              "the kernel compares the word itself");

// Sleeps while `word` holds `expected`, at most for `limit`; may return early for no reason.
void FutexWait(std::atomic<std::uint32_t>* word, std::uint32_t expected, const timespec* limit) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, limit, nullptr, 0);
}

// Uses `word` as a name only: its memory may be gone, or be something else by now, whose sleepers
// then wake for no reason, as every futex sleeper must expect to.
void FutexWakeAll(std::atomic<std::uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

timespec ToTimespec(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  timespec result{};
  result.tv_sec = static_cast<time_t>(seconds.count());
  result.tv_nsec = static_cast<long>((time - seconds).count());
  return result;
}

}  // namespace

void Notification::Notify() noexcept {
  const std::uint32_t before = state_.exchange(kHappened, std::memory_order_acq_rel);
  // From here on `this` may dangle unless it is still held by the caller.
  if (before == kAwaited) FutexWakeAll(&state_);
}

bool Notification::WaitUntil(TimePoint end) noexcept {
  for (AdaptiveWait wait; !HasHappened();) {
    if (end != kEndOfTime && RealClock::MonotonicNow() >= end) return HasHappened();
    if (!wait.Pause()) break;
  }
  while (!HasHappened()) {
    std::uint32_t expected = kQuiet;
    if (!state_.compare_exchange_strong(expected, kAwaited, std::memory_order_acq_rel) &&
        expected == kHappened) {
      break;
    }
    if (end == kEndOfTime) {
      FutexWait(&state_, kAwaited, nullptr);
      continue;
    }
    const TimePoint now = RealClock::MonotonicNow();
    if (now >= end) return HasHappened();
    // The futex's own clock stops while the machine is suspended: look again once an hour at least.
    const timespec limit = ToTimespec(std::min<TimePoint>(end - now, std::chrono::hours(1)));
    FutexWait(&state_, kAwaited, &limit);
  }
  return true;
}

}  // namespace cirein
