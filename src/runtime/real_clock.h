// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/clock.h"

namespace cirein {

/// The machine's own time: CLOCK_BOOTTIME, so that deadlines pass while a laptop sleeps, or
/// CLOCK_MONOTONIC on a kernel without it. Thread-safe; a reading costs tens of nanoseconds.
class RealClock final : public Clock {
 public:
  /// The process's one; lives until the process ends.
  static RealClock& Instance();
  /// The same reading without an object to hand, for code that can only wait on real time.
  static TimePoint MonotonicNow();

  TimePoint Now() const override { return MonotonicNow(); }
  std::chrono::nanoseconds WallNow() const override;
};

}  // namespace cirein
