// SPDX-License-Identifier: Apache-2.0
#include "runtime/real_clock.h"

#include <time.h>

namespace cirein {
namespace {

std::chrono::nanoseconds Read(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Chosen once: a clock that changed under a running program would not be monotonic.
clockid_t ChooseMonotonicClock() {
  timespec now{};
  return clock_gettime(CLOCK_BOOTTIME, &now) == 0 ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
}

}  // namespace

RealClock& RealClock::Instance() {
  static RealClock* const instance = new RealClock;  // Never destroyed: late threads may still ask.
  return *instance;
}

TimePoint RealClock::MonotonicNow() {
  static const clockid_t id = ChooseMonotonicClock();
  return Read(id);
}

std::chrono::nanoseconds RealClock::WallNow() const { return Read(CLOCK_REALTIME); }

}  // namespace cirein
