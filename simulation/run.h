// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

#include "fabric/sim/cost_model.h"
#include "simulation/fault_plan.h"
#include "simulation/scenario.h"

namespace cirein::simulation {

/// Which run: all that happens in it follows from this.
struct RunRequest {
  std::string scenario;
  std::uint64_t seed = 0;
  fabric::CostModel costs;
  /// In place of what the seed would draw.
  std::optional<FaultPlan> plan;
  std::optional<std::uint32_t> clients;
  std::optional<std::uint32_t> operations;
  /// The run is stopped after so many events, and what was seen until then is judged.
  std::optional<std::uint64_t> steps;
  /// A run of more events than this does not end: a violation.
  std::uint64_t steps_max = 20'000'000;
  /// One that takes more of a processor, where it has a process of its own, is ended with its
  /// stack.
  std::chrono::seconds cpu_max{60};
};

struct RunReport {
  std::uint64_t seed = 0;
  std::vector<std::string> violations;
  std::uint64_t digest = 0;  ///< Of the journal.
  std::uint64_t events = 0;
  std::chrono::nanoseconds virtual_time{0};
  RunSize size;
  FaultPlan plan;
  std::string history;  ///< Of a failed run.
  /// Of a run that did not return: how it ended. Then there are only violations.
  bool crashed = false;

  bool ok() const noexcept { return violations.empty(); }
  /// For the way from a child process; what Decode does not understand is DataLoss.
  std::string Encode() const;
  static Result<RunReport> Decode(std::string_view text);
};

/// Is told the journal, line by line.
using JournalListener = std::function<void(std::string_view line)>;

/// Runs it here. Errors are of the request: NotFound (no such scenario), FailedPrecondition (an
/// impossible plan). Blocks for as long as it takes; not thread-safe.
Result<RunReport> Run(const ScenarioTable& table, const RunRequest& request,
                      const JournalListener& listener = nullptr);

/// The same in a child process, so that a run which crashes or spins is a report too.
Result<RunReport> RunApart(const ScenarioTable& table, const RunRequest& request);

/// Runs many seeds, in child processes, `jobs` at a time; told of each as it ends, in no order,
/// until one says false.
struct SeedRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
Status RunSeeds(const ScenarioTable& table, const RunRequest& request, const SeedRange& seeds,
                std::uint32_t jobs, const std::function<bool(const RunReport&)>& ended);

/// Runs it twice and compares: nullopt if not a line of the two journals differs, else the first
/// line that does, as both had it.
Result<std::optional<std::string>> FindDifference(const ScenarioTable& table,
                                                  const RunRequest& request);

/// The fabric whose costs a run has if nothing is said.
inline constexpr std::string_view kUsualFabric = "tcp";

/// The command that runs it again; a plan of its own is to be put in place of FILE.
std::string CommandFor(const RunRequest& request);

/// Makes a failing run smaller, as long as it fails: fewer faults, clients, operations. Returns the
/// request and the report of the smallest one. `runs_max`: after so many tries it is content.
struct Shrunk {
  RunRequest request;
  RunReport report;
  std::uint32_t runs = 0;
};
Result<Shrunk> Shrink(const ScenarioTable& table, const RunRequest& request,
                      const RunReport& failed, std::uint32_t runs_max);

}  // namespace cirein::simulation
