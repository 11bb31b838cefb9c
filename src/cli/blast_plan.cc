// SPDX-License-Identifier: Apache-2.0
#include "cli/blast_plan.h"

#include <numeric>

#include <fmt/format.h>

#include "base/text.h"
#include "base/units.h"

namespace cirein {
namespace {

struct Workload {
  std::string_view name;
  std::array<double, kBlastVerbCount> mix;  // Read, update, insert, scan, read-modify-write.
  Distribution distribution;
  std::uint64_t columns;
};

constexpr std::array<Workload, 6> kWorkloads = {{
    {"ycsb-a", {0.5, 0.5, 0, 0, 0}, Distribution::kZipf, 1},
    {"ycsb-b", {0.95, 0.05, 0, 0, 0}, Distribution::kZipf, 1},
    {"ycsb-c", {1, 0, 0, 0, 0}, Distribution::kZipf, 1},
    {"ycsb-d", {0.95, 0, 0.05, 0, 0}, Distribution::kLatest, 1},
    {"ycsb-e", {0, 0, 0.05, 0.95, 0}, Distribution::kZipf, 100},
    {"ycsb-f", {0.5, 0, 0, 0, 0.5}, Distribution::kZipf, 1},
}};

}  // namespace

std::string_view BlastVerbName(BlastVerb verb) {
  constexpr std::array<std::string_view, kBlastVerbCount> kNames = {"read", "update", "insert",
                                                                    "scan", "rmw"};
  return kNames[static_cast<std::size_t>(verb)];
}

Status BlastPlan::Validate() const {
  if (std::accumulate(mix.begin(), mix.end(), 0.0) <= 0) {
    return InvalidArgument("the mix of requests is empty", "give a share to one, as in --read 1");
  }
  if (value_bytes_least > value_bytes_most) {
    return InvalidArgument("the least value size is greater than the greatest",
                           "give such as --value-size 64-4KiB");
  }
  if (checks == Checks::kEveryValue && value_bytes_least < kMinCheckedValueBytes) {
    return InvalidArgument(
        fmt::format("values of {} cannot be checked", FormatBytes(value_bytes_least)),
        fmt::format("give --value-size {} or more: they carry key and stamp",
                    kMinCheckedValueBytes));
  }
  if (!ops && !duration) {
    return InvalidArgument("nothing says when to end", "give --ops or --duration");
  }
  if (duration && duration->count() <= 0) {
    return InvalidArgument("a run cannot have no duration", "give such as --duration 5s");
  }
  if (deadline.count() <= 0) {
    return InvalidArgument("requests cannot have no time at all", "give such as --deadline 1s");
  }
  return OkStatus();
}

Status ApplyWorkload(std::string_view name, BlastPlan* plan) {
  for (const Workload& workload : kWorkloads) {
    if (workload.name != name) continue;
    plan->mix = workload.mix;
    plan->distribution = workload.distribution;
    plan->columns = workload.columns;
    return OkStatus();
  }
  return InvalidArgument(fmt::format("there is no workload {}", QuoteForPeople(name)),
                         "give ycsb-a to ycsb-f");
}

Status ParseValueSize(std::string_view text, BlastPlan* plan) {
  const std::size_t dash = text.find('-');
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t least, ParseBytes(text.substr(0, dash)));
  std::uint64_t most = least;
  if (dash != std::string_view::npos) {
    CIREIN_ASSIGN_OR_RETURN(most, ParseBytes(text.substr(dash + 1)));
  }
  if (least > most || most > BlastPlan::kMaxValueBytes) {
    return InvalidArgument(fmt::format("{} is no range of sizes", QuoteForPeople(text)),
                           fmt::format("give such as 100 or 64-4KiB, up to {}",
                                       FormatBytes(BlastPlan::kMaxValueBytes)));
  }
  plan->value_bytes_least = least;
  plan->value_bytes_most = most;
  return OkStatus();
}

}  // namespace cirein
