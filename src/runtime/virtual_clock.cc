// SPDX-License-Identifier: Apache-2.0
#include "runtime/virtual_clock.h"

#include <algorithm>

namespace cirein {

TimePoint VirtualClock::Advance(std::chrono::nanoseconds step) {
  const std::int64_t step_ns = std::max<std::int64_t>(step.count(), 0);
  std::int64_t now_ns = now_ns_.load(std::memory_order_relaxed);
  std::int64_t next_ns = 0;
  do {
    next_ns = now_ns + std::min(step_ns, kEndOfTime.count() - now_ns);
  } while (!now_ns_.compare_exchange_weak(now_ns, next_ns, std::memory_order_acq_rel));
  return TimePoint(next_ns);
}

TimePoint VirtualClock::AdvanceTo(TimePoint when) {
  std::int64_t now_ns = now_ns_.load(std::memory_order_relaxed);
  while (now_ns < when.count() &&
         !now_ns_.compare_exchange_weak(now_ns, when.count(), std::memory_order_acq_rel)) {
  }
  return Now();
}

}  // namespace cirein
