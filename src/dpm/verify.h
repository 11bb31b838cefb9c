// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "dpm/control.h"
#include "region/region.h"

namespace cirein::dpm {

/// What a pool is and holds, as its files say, for `inspect`.
struct PoolSummary {
  Superblock superblock{};
  bool same_boot = false;  ///< Was it last opened since the machine started?
  std::uint64_t free_segments = 0;
  std::uint64_t open_segments = 0;
  std::uint64_t sealed_segments = 0;
  std::uint64_t log_bytes_used = 0;  ///< Of batches, in all segments that are not free.
  std::uint64_t entries = 0;         ///< In them; 0 unless counted.
  std::uint64_t objects = 0;         ///< Live ones, by the log; 0 unless counted.
  std::uint64_t gone = 0;            ///< Gone keys and row entries that are kept.
  std::uint64_t live_bytes = 0;      ///< Of live entries in the log.
  std::uint64_t extents = 0;
  std::uint64_t extent_bytes = 0;
};

/// Reads control records and counts; changes nothing. Locks the space, so it is refused while the
/// pool is open. Errors as Dpm::Open's for a file that is no pool.
Result<PoolSummary> InspectPool(RegionSpace& space);

struct VerifyReport {
  PoolSummary summary;
  /// Corruption and notes; no corruption: the pool is as it should be, or as a crash may leave it.
  Findings findings;
  std::uint64_t payload_bytes = 0;  ///< Read and compared with their checksums.
  bool clean() const;               ///< No corruption.
};

/// Reads everything and believes nothing; changes nothing:
///  - both copies of superblock, segment records, slot roots;
///  - every batch and entry up to each log's end, with the payloads that have checksums of their
///  own;
///    that ends, marks and states fit together (SAFETY 2, 4), that no version is given twice (7);
///  - every extent: there, of the right size, with the right checksum, and named by exactly one
///  live
///    entry; extents that nobody names are a note, for a reader may hold one up until after a
///    close;
///  - the index, when an open would believe it: every cell leads to the newest entry of its key,
///  and of
///    every key with an object that is merged there is a cell; gone keys may be missing only where
///    no older entry is left (8); live bytes of segments add up (a note, for they are hints).
/// What an open would mend without loss, such as an index that was damaged, is corruption all the
/// same: no crash does that. Memory: about 60 bytes for each key. Blocks for as long as reading
/// takes.
Result<VerifyReport> VerifyPool(RegionSpace& space);

}  // namespace cirein::dpm
