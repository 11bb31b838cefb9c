// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "cli/trace_reader.h"

namespace cirein {

/// The trace of one process among those that were recorded together.
struct RankTrace {
  std::string path;
  TraceReader trace;
  /// How long after the first of them it began.
  std::chrono::nanoseconds start{0};
};

/// Which of the traces FILE.0, FILE.1, ... that several processes recorded one process plays.
struct RankShare {
  std::uint64_t index = 0;
  std::uint64_t processes =
      1;  ///< That play them; this one has each rank with rank % processes == index.
};

/// The traces of a share, by rank. All that are there are read and checked, so that of several
/// processes none begins when one file is bad. Blocks. NotFound when there is none at all; none for
/// this process is fine. Else as TraceReader::Open.
Result<std::vector<RankTrace>> OpenRankTraces(const std::string& file, RankShare share);

}  // namespace cirein
