// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>

#include "cirein/deadline.h"

namespace cirein {

/// A point on a clock's monotonic time line: nanoseconds since some start. kEndOfTime never comes.
using TimePoint = std::chrono::nanoseconds;
inline constexpr TimePoint kEndOfTime = TimePoint::max();

/// Time, real or virtual. Thread-safe; does not block.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Monotonic; runs on during suspension of the machine where the system can tell (CLOCK_BOOTTIME
  /// or the best there is).
  virtual TimePoint Now() const = 0;
  /// Nanoseconds since 1970, for people; may jump.
  virtual std::chrono::nanoseconds WallNow() const = 0;

  /// The instant `deadline` ends, if it started now; never overflows.
  TimePoint EndOf(Deadline deadline) const {
    if (deadline.is_none()) return kEndOfTime;
    const TimePoint now = Now();
    return deadline.after() >= kEndOfTime - now ? kEndOfTime : now + deadline.after();
  }
};

}  // namespace cirein
