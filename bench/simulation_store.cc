// SPDX-License-Identifier: Apache-2.0
#include "bench/simulation_store.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "bench/turns.h"
#include "fabric/sim/cost_model.h"
#include "simulation/run.h"
#include "simulation/scenario.h"

namespace cirein::bench {
namespace {

constexpr std::uint64_t kSeeds = 200;
constexpr int kTurns = 3;

/// All runs of one turn together.
struct Sum {
  std::uint64_t events = 0;
  std::uint64_t failed = 0;
  double virtual_s = 0;
};

Sum RunAll() {
  Sum sum;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    simulation::RunRequest request;
    request.scenario = "store";
    request.seed = seed;
    request.costs = fabric::CostModel::Tcp();
    const auto report = simulation::Run(simulation::ScenarioTable::Builtin(), request);
    if (!report.ok()) {
      fmt::print(stderr, "simulation_bench: {}\n", report.status().ToString());
      std::exit(1);  // NOLINT(concurrency-mt-unsafe): there is one thread.
    }
    sum.events += report->events;
    sum.virtual_s += Seconds(report->virtual_time).count();
    if (report->ok()) continue;
    ++sum.failed;
    fmt::print(stderr, "seed {}: {}\n", seed, report->violations.front());
  }
  return sum;
}

}  // namespace

void MeasureStoreRuns() {
  Sum sum;
  std::vector<double> seconds;
  std::vector<double> processor_seconds;
  for (int turn = 0; turn < kTurns; ++turn) {
    fmt::print(stderr, "store: turn {} of {}\n", turn + 1, kTurns);
    const double processor_before = ThreadTime();
    seconds.push_back(Time([&sum] { sum = RunAll(); }));
    processor_seconds.push_back(ThreadTime() - processor_before);
  }
  const double median = Median(seconds);
  fmt::print(
      "The scenario `store`, seeds 1 to {}, in one process and thread, with its judge; median "
      "of {} turns.\n\n",
      kSeeds, kTurns);
  fmt::print(
      "| runs in a second | by processor time | scheduler's events in a second "
      "| events of a run | virtual seconds of a run | runs that failed |\n"
      "|---|---|---|---|---|---|\n");
  constexpr auto kRuns = static_cast<double>(kSeeds);
  const auto events = static_cast<double>(sum.events);
  fmt::print("| **{:.0f}** | {:.0f} | {:.0f} k | {:.0f} | {:.1f} | {} |\n", kRuns / median,
             kRuns / Median(processor_seconds), events / median / 1000, events / kRuns,
             sum.virtual_s / kRuns, sum.failed);
}

}  // namespace cirein::bench
