// SPDX-License-Identifier: Apache-2.0
#include "runtime/virtual_environment.h"

#include <algorithm>

namespace cirein {

std::size_t VirtualEnvironment::RunReady() {
  std::size_t count = 0;
  for (;;) {
    const std::size_t before = count;
    count += callbacks_.RunAll();
    count += compute_.RunAll();
    if (timers_.RunOne(clock_.Now())) ++count;
    if (count == before) return count;
  }
}

std::size_t VirtualEnvironment::RunUntil(TimePoint end) {
  std::size_t count = RunReady();
  for (TimePoint next = timers_.NextTimer(); next != kEndOfTime && next <= end;
       next = timers_.NextTimer()) {
    clock_.AdvanceTo(next);
    count += RunReady();
  }
  return count;
}

std::size_t VirtualEnvironment::RunFor(std::chrono::nanoseconds time) {
  const TimePoint end = clock_.EndOf(Deadline(time));
  const std::size_t count = RunUntil(end);
  clock_.AdvanceTo(end);
  return count;
}

std::size_t VirtualEnvironment::RunUntilQuiet(std::chrono::nanoseconds limit) {
  return RunUntil(clock_.EndOf(Deadline(limit)));
}

}  // namespace cirein
