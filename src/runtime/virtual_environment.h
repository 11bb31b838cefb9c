// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>

#include "runtime/environment.h"
#include "runtime/manual_executor.h"
#include "runtime/virtual_clock.h"
#include "runtime/virtual_timers.h"

namespace cirein {

/// One node's environment in virtual time: no thread, nothing real, and the same order of events in
/// every run. Work runs only inside RunReady, RunFor and RunUntilQuiet, which belong to one thread,
/// in a fixed order: callbacks, then compute, then one timer, and again.
class VirtualEnvironment {
 public:
  /// What to hand to the code under test; it refers to this object.
  Environment environment() { return Environment{clock_, timers_, callbacks_, compute_}; }

  VirtualClock& clock() { return clock_; }
  VirtualTimers& timers() { return timers_; }
  ManualExecutor& callbacks() { return callbacks_; }
  ManualExecutor& compute() { return compute_; }

  /// Runs all that can run at the present time; returns how many pieces of work did.
  std::size_t RunReady();
  /// Lets this much time pass, running everything at its moment; returns how many pieces ran.
  std::size_t RunFor(std::chrono::nanoseconds time);
  /// Runs and moves time on until no work and no timer is left, or `limit` has passed.
  std::size_t RunUntilQuiet(std::chrono::nanoseconds limit = std::chrono::hours(24));

 private:
  std::size_t RunUntil(TimePoint end);

  VirtualClock clock_;
  VirtualTimers timers_;
  ManualExecutor callbacks_{"virtual callbacks"};
  ManualExecutor compute_{"virtual compute"};
};

}  // namespace cirein
