// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "runtime/clock.h"

namespace cirein {

/// Calls back at points in time. Thread-safe; does not block.
class TimerService {
 public:
  using TimerId = std::uint64_t;

  virtual ~TimerService() = default;
  /// Runs `work` once at `when` or as soon after as may be, on the service's own thread with no
  /// lock held: it must be short and must not block. Never runs it inside the call. After the
  /// service was closed nothing runs, and 0 is returned.
  virtual TimerId RunAt(TimePoint when, std::function<void()> work) = 0;
  /// True when the work had not begun, and will not.
  virtual bool CancelTimer(TimerId id) = 0;
};

}  // namespace cirein
