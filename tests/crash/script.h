// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "crash/pool_run.h"

namespace cirein::crash {

/// What a random workload is made of. The numbers of operations are weights.
struct Scenario {
  const char* name = "";
  std::uint32_t steps = 100;
  std::uint64_t segments = 12;
  std::uint64_t rows = 12;  ///< Of each shard.
  std::uint64_t columns = 6;

  std::uint32_t put = 10;
  std::uint32_t drop = 1;
  std::uint32_t drop_row = 0;
  std::uint32_t expire_row = 0;
  std::uint64_t column_percent = 30;
  std::uint64_t expiry_percent = 0;
  std::uint64_t most_group = 4;
  std::uint64_t most_staged = 3;
  std::uint32_t least_data = 0;
  std::uint32_t most_data = 600;
  std::uint64_t large_percent = 0;  ///< In an extent.

  std::uint32_t write = 20;
  std::uint32_t sync = 2;
  std::uint32_t work = 6;
  std::uint32_t urgent_work = 0;
  std::uint32_t raise_floor = 0;
  std::uint32_t close = 0;
  std::uint32_t kill = 0;
  std::uint32_t kill_in_commit = 0;
};

/// All kinds of work that a pool does, one workload for each.
std::vector<Scenario> AllScenarios();

/// Draws and does one step after the other.
class Script {
 public:
  Script(const Scenario& scenario, Random random) : scenario_(scenario), random_(random) {}

  Status Step(PoolRun& run);
  Status Steps(PoolRun& run, std::uint32_t count);
  Group DrawGroup(const PoolRun& run, std::size_t shard);

 private:
  Status WriteSome(PoolRun& run);
  Write DrawWrite(std::size_t shard);
  template <typename Options>
  std::size_t Weighted(const Options& weights);

  const Scenario scenario_;
  Random random_;
  std::uint64_t floor_ms_ = 0;
};

}  // namespace cirein::crash
