// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "cirein/status.h"

#include "dpm/index.h"
#include "dpm/segment_space.h"

namespace cirein::dpm {

struct TombstoneSweep {
  std::uint64_t kept = 0;  ///< Gone keys and row entries that are still needed, or were too many.
  std::uint64_t forgotten = 0;  ///< Those the index does not know any more.
  std::uint64_t forgotten_bytes = 0;
};

/// Forgets the gone keys and row entries of which no older entry is left in any segment: only then
/// can nothing come back when the index is rebuilt (SAFETY 8). Reads the log twice, from end to
/// end: first to find what may be forgotten, at most `max_candidates` a time, then to find what
/// each still hides. So it costs reading and no space, neither in the pool nor for each live key in
/// memory; Dpm calls it when gone keys have become a part of the pool.
///
/// Why nothing older can turn up later: the older entries of a slot were merged before a newer one
/// was, and the cleaner copies only what the index leads to.
///
/// The DPM's processor only; what is unmerged is left alone. DataLoss when the log is damaged.
Result<TombstoneSweep> SweepTombstones(SegmentSpace& space, Index& index,
                                       std::uint64_t max_candidates);

}  // namespace cirein::dpm
