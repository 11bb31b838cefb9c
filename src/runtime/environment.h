// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/clock.h"
#include "runtime/executor.h"
#include "runtime/timers.h"

namespace cirein {

/// What stands behind the seams for one node: the process's real clock, threads and timers, or a
/// virtual world's. Everything in object/ and pool/ reaches time, threads and timers through one of
/// these. Not owning; outlives what it is given to.
struct Environment {
  Clock& clock;
  TimerService& timers;
  Executor& callbacks;  ///< Where user callbacks run.
  Executor& compute;    ///< Where compute functions run.
};

}  // namespace cirein
