// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/clock.h"

namespace cirein {

/// Time that stands still until a driver moves it: what makes one seed replay one run. The wall
/// time moves along with it from a fixed start. Thread-safe; never blocks.
class VirtualClock final : public Clock {
 public:
  /// 2026-01-01 00:00:00 UTC: a plausible date, and the same one in every run.
  static constexpr std::chrono::seconds kWallStart{1'767'225'600};
  /// Begins at one second, so that "an hour ago" style arithmetic meets small and negative times.
  static constexpr TimePoint kStart = std::chrono::seconds(1);

  TimePoint Now() const override { return TimePoint(now_ns_.load(std::memory_order_acquire)); }
  std::chrono::nanoseconds WallNow() const override { return kWallStart + (Now() - kStart); }

  /// Moves time forward, at most to kEndOfTime; a negative step moves nothing. Returns the new
  /// time.
  TimePoint Advance(std::chrono::nanoseconds step);
  /// Moves time forward to `when`; an instant that has passed moves nothing. Returns the new time.
  TimePoint AdvanceTo(TimePoint when);

 private:
  std::atomic<std::int64_t> now_ns_{TimePoint(kStart).count()};
};

}  // namespace cirein
