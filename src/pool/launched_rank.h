// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cirein/config.h"
#include "cirein/status.h"

namespace cirein {

/// Which process of a group this one is, as whoever started it says.
struct LaunchedRank {
  std::size_t rank = 0;
  std::size_t size = 1;
  /// What no other run is called that is under way, of IsRunName; empty where nobody says.
  std::string run;
  /// All processes of the group are on this host.
  bool one_host = false;

  friend bool operator==(const LaunchedRank&, const LaunchedRank&) = default;
};

/// Can a run be called so? 1 to 200 letters, digits and "._@:-".
bool IsRunName(std::string_view name);

/// What MPI's launcher told this process, from the environment (NAME=VALUE): Open MPI's mpirun, or
/// one that speaks PMI (MPICH, Intel MPI, Cray). nullopt: there was none. InvalidArgument for what
/// makes no sense.
Result<std::optional<LaunchedRank>> RankOfMpi(std::span<const std::string> environment);
/// The same of Slurm's srun; what sbatch runs by itself is none of its ranks.
Result<std::optional<LaunchedRank>> RankOfSlurm(std::span<const std::string> environment);
/// The same of the settings group.rank, group.size and group.run.
Result<std::optional<LaunchedRank>> RankOfSettings(const Config& config);

}  // namespace cirein
