// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>

#include "runtime/clock.h"
#include "runtime/timer_queue.h"
#include "runtime/timers.h"

namespace cirein {

/// A TimerService whose timers run when its driver says so, on the driver's thread. Thread-safe.
class VirtualTimers final : public TimerService {
 public:
  TimerId RunAt(TimePoint when, std::function<void()> work) override;
  bool CancelTimer(TimerId id) override;

  /// When the next timer is due; kEndOfTime when there is none.
  TimePoint NextTimer() const;
  /// Runs the timer due first if it is due by `now`; false when none is.
  bool RunOne(TimePoint now);
  /// Destroys what waits without running it, and takes no more.
  void Close();

 private:
  mutable std::mutex mutex_;
  TimerQueue queue_;
  bool closed_ = false;
};

}  // namespace cirein
