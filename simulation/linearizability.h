// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simulation/history.h"

/// Could what the clients saw have happened in a correct store?
namespace cirein::simulation {

struct JudgeOptions {
  /// How far the end of a value's time to live may be off, either way: the drift of clocks.
  std::chrono::nanoseconds expiry_margin{0};
  /// Steps of the search that each row, and each prefix looked at for a report, may take.
  std::uint64_t max_steps = 2'000'000;
  /// Of a report: states shown, and operations of the row before and after the one at fault.
  std::size_t max_states = 8;
  std::size_t operations_around = 10;
};

enum class VerdictCode : std::uint8_t {
  kLinearizable,
  kNotLinearizable,
  kUndecided,  ///< The steps were used up before an answer was found.
};
std::string_view VerdictName(VerdictCode code);

struct Verdict {
  VerdictCode code = VerdictCode::kLinearizable;
  std::string row;                                    ///< The first that is not linearizable.
  std::optional<OperationId> culprit = std::nullopt;  ///< The operation that cannot be placed.
  std::string report;                                 ///< Lines for people; empty when all is well.
  std::uint64_t steps = 0;                            ///< Of all rows together.
};

/// Is there, for each row, an order of its operations that respects real time (what completed
/// before another began comes first) and in which each outcome is what a single row would have
/// answered? Operations without an outcome may be in it or not. The search is that of Wing, Gong
/// and Lowe; the same history gives the same verdict and report. A row that is not linearizable
/// counts before one that is undecided.
Verdict Judge(const History& history, const JudgeOptions& options = {});

}  // namespace cirein::simulation
