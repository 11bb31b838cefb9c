// SPDX-License-Identifier: Apache-2.0
#include "pool/launched_rank.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "pool/member_list.h"

namespace cirein {
namespace {

using Launched = std::optional<LaunchedRank>;

constexpr std::size_t kMaxRunBytes = 200;
constexpr std::size_t kMaxLauncherRunBytes = 150;

bool IsRunCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._@:-").find(c) != std::string_view::npos;
}

class Variables {
 public:
  explicit Variables(std::span<const std::string> environment) : environ_(environment) {}

  /// The value of the first of these that is there and not empty.
  std::optional<std::string> First(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names) {
      for (const std::string& variable : environ_) {
        if (variable.size() > name.size() + 1 && variable.starts_with(name) &&
            variable[name.size()] == '=') {
          return variable.substr(name.size() + 1);
        }
      }
    }
    return std::nullopt;
  }

 private:
  const std::span<const std::string> environ_;
};

Result<LaunchedRank> RankIn(std::string_view who, const std::string& rank,
                            const std::string& size) {
  const Result<std::uint64_t> rank_number = ParseUint64(rank);
  const Result<std::uint64_t> size_number = ParseUint64(size);
  if (!rank_number.ok() || !size_number.ok() || *rank_number >= *size_number ||
      *size_number > kMaxMembers) {
    return InvalidArgument(
        fmt::format("{}: there is no rank {} in a group of {}", who, QuoteForPeople(rank),
                    QuoteForPeople(size)),
        fmt::format("a group has 1 to {} processes, whose ranks are counted from 0", kMaxMembers));
  }
  return LaunchedRank{.rank = static_cast<std::size_t>(*rank_number),
                      .size = static_cast<std::size_t>(*size_number),
                      .run = {}};
}

/// A launcher's own name of a run, with other characters than may be made harmless.
std::string RunName(std::string name) {
  name.resize(std::min(name.size(), kMaxLauncherRunBytes));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !IsRunCharacter(c); }, '_');
  return name;
}

}  // namespace

bool IsRunName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxRunBytes &&
         std::all_of(name.begin(), name.end(), IsRunCharacter);
}

Result<std::optional<LaunchedRank>> RankOfMpi(std::span<const std::string> environment) {
  const Variables variables(environment);
  const auto rank = variables.First({"OMPI_COMM_WORLD_RANK", "PMI_RANK"});
  const auto size = variables.First({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"});
  if (!rank || !size) return Launched();
  CIREIN_ASSIGN_OR_RETURN(LaunchedRank launched, RankIn("MPI's launcher", *rank, *size));
  const auto run = variables.First({"PMIX_NAMESPACE", "PMI_JOBID"});
  if (run) launched.run = RunName("mpi-" + *run);
  // A namespace follows from the launcher's process number, which comes again; its port does not so
  // soon.
  const auto launcher = variables.First({"OMPI_MCA_orte_hnp_uri"});
  if (run && launcher) launched.run += fmt::format("-{:016x}", Hash64(*launcher));
  launched.one_host = variables.First({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"}) == size;
  return Launched(std::move(launched));
}

Result<std::optional<LaunchedRank>> RankOfSlurm(std::span<const std::string> environment) {
  const Variables variables(environment);
  const auto rank = variables.First({"SLURM_PROCID"});
  const auto size = variables.First({"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"});
  const auto job = variables.First({"SLURM_JOB_ID"});
  // A batch script has a rank, too, but is no step.
  const auto step = variables.First({"SLURM_STEP_ID", "SLURM_STEPID"});
  if (!rank || !size || !job || !step) return Launched();
  CIREIN_ASSIGN_OR_RETURN(LaunchedRank launched, RankIn("Slurm", *rank, *size));
  // A job that was put into the queue again keeps its number.
  const std::string restart = variables.First({"SLURM_RESTART_COUNT"}).value_or("0");
  launched.run = RunName(fmt::format("slurm-{}.{}.{}", *job, *step, restart));
  launched.one_host = variables.First({"SLURM_STEP_NUM_NODES", "SLURM_NNODES"}) == "1";
  return Launched(std::move(launched));
}

Result<std::optional<LaunchedRank>> RankOfSettings(const Config& config) {
  const std::string rank = config.GetString("group.rank");
  const std::string size = config.GetString("group.size");
  if (rank.empty() && size.empty()) return Launched();
  if (rank.empty() || size.empty()) {
    return InvalidArgument("of group.rank and group.size only one is set", "set both, or neither");
  }
  CIREIN_ASSIGN_OR_RETURN(LaunchedRank launched,
                          RankIn("settings group.rank and group.size", rank, size));
  return Launched(std::move(launched));
}

}  // namespace cirein
