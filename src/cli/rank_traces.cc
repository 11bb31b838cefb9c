// SPDX-License-Identifier: Apache-2.0
#include "cli/rank_traces.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "runtime/file.h"

namespace cirein {
namespace {

// The ranks of which there is a file.
Result<std::vector<std::uint64_t>> RanksOf(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : file.substr(0, slash + 1);
  const std::string prefix = file.substr(slash == std::string::npos ? 0 : slash + 1) + ".";
  CIREIN_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> there, ListDirectory(directory));
  std::vector<std::uint64_t> ranks;
  for (const DirectoryEntry& entry : there) {
    if (!entry.name.starts_with(prefix)) continue;
    const Result<std::uint64_t> rank = ParseUint64(entry.name.substr(prefix.size()));
    if (rank.ok() && entry.name == prefix + std::to_string(*rank)) ranks.push_back(*rank);
  }
  if (ranks.empty()) {
    return NotFound(
        fmt::format("there is no trace {}, or of another rank", QuoteForPeople(file + ".0", 4096)),
        "give the trace's name without the rank at its end");
  }
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

}  // namespace

Result<std::vector<RankTrace>> OpenRankTraces(const std::string& file, RankShare share) {
  CIREIN_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> ranks, RanksOf(file));
  std::vector<RankTrace> traces;
  std::optional<std::chrono::nanoseconds> first;
  for (const std::uint64_t rank : ranks) {
    const std::string path = fmt::format("{}.{}", file, rank);
    CIREIN_ASSIGN_OR_RETURN(TraceReader trace, TraceReader::Open(path));
    if (const auto began = trace.began()) first = std::min(first.value_or(*began), *began);
    if (rank % share.processes != share.index) continue;
    traces.push_back({path, std::move(trace)});
  }
  for (RankTrace& each : traces) {
    if (const auto began = each.trace.began()) each.start = *began - *first;
  }
  return traces;
}

}  // namespace cirein
