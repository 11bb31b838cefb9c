// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "cirein/pool.h"

#include "cli/blast_plan.h"
#include "cli/blast_worker.h"
#include "cli/console.h"

namespace cirein {

/// What came of a load.
struct BlastResult {
  std::array<BlastCounts, kBlastVerbCount> counts;
  std::chrono::nanoseconds load_time{0};
  std::chrono::nanoseconds run_time{0};
  std::chrono::nanoseconds lateness_max{0};
  Status first_error;  ///< Of a request or a check of the run; OK when all went well.
  enum class End : std::uint8_t { kComplete, kInterrupted };
  End end = End::kComplete;
};

/// Publishes the plan's keys, then runs the load; both on the plan's number of threads. Blocks;
/// shows its progress on a terminal. Errors: what Validate says, a key that cannot be published,
/// Cancelled when interrupted before the run. Failures within the run are in the result.
Result<BlastResult> RunBlast(const BlastPlan& plan, Pool pool, Console& console);

}  // namespace cirein
