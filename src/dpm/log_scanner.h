// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "dpm/control.h"
#include "dpm/entry.h"

namespace cirein::dpm {

/// The word at kMarkOffset: how far the segment is on the medium, for a writer that is idle.
std::uint64_t EncodeMark(std::uint64_t segment_seed, std::uint64_t mark);
/// 0 unless the word is whole and of this life of the segment.
std::uint64_t DecodeMark(std::uint64_t segment_seed, std::uint64_t word);

void FillSegmentHeader(const Control& control, std::uint64_t segment, SegmentHeader* header);
/// Is what the log says of the segment valid, and of this pool? Then `*header` is it.
bool ReadSegmentHeader(const Region& log, std::uint64_t pool_id, std::uint64_t segment_bytes,
                       std::uint64_t segment, SegmentHeader* header);

/// What a scan of a segment found.
struct SegmentScan {
  std::uint64_t valid_end = 0;  ///< Where the last batch of the unbroken valid run ends.
  std::uint64_t mark = 0;       ///< The highest mark found, in batches and in the mark word.
  std::uint64_t batches = 0;
  std::uint64_t entries = 0;
  /// A valid batch of this life beyond valid_end: the run is broken by damage, not by a crash of
  /// the last write (or, under Durability::kProcess, sectors reached the medium out of order).
  std::optional<std::uint64_t> beyond;
  bool corrupt() const { return mark > valid_end; }
};

/// Reads a segment from its begin up to `limit` (its recorded end, or its size), believing nothing.
/// After the first bad batch it looks at every later multiple of 64 for valid batches, for their
/// marks (SAFETY 4). `visit`, when set, is called for each batch of the run, in order, with its
/// place.
using BatchVisitor = std::function<void(const BatchView&, std::uint64_t offset)>;
SegmentScan ScanSegment(const Control& control, const Region& log, std::uint64_t segment,
                        std::uint64_t limit, BatchView::Payloads payloads,
                        const BatchVisitor& visit);
/// As ScanSegment, but visits every valid batch, beyond damage too: for a repair.
SegmentScan SalvageSegment(const Control& control, const Region& log, std::uint64_t segment,
                           std::uint64_t limit, const BatchVisitor& visit);

}  // namespace cirein::dpm
