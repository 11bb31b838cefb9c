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

/// What the log is to say of a segment at its begin, from its record.
void FillSegmentHeader(const Control& control, std::uint64_t segment, SegmentHeader* header);
/// Is what the log says of the segment valid, and of this pool? Then `*header` is it. Whether its
/// generation is that of the segment's record is not looked at.
bool ReadSegmentHeader(const Region& log, std::uint64_t pool_id, std::uint64_t segment_bytes,
                       std::uint64_t segment, SegmentHeader* header);

/// What a scan of a segment found.
struct SegmentScan {
  std::uint64_t valid_end = 0;  ///< Where the last batch of the unbroken valid run ends.
  /// The highest mark found, in batches (beyond damage too) and in the mark word; never beyond the
  /// limit of the scan.
  std::uint64_t mark = 0;
  std::uint64_t batches = 0;  ///< Of the run; of a salvage, all that were visited.
  std::uint64_t entries = 0;
  /// A valid batch of this life beyond valid_end: the run is broken by damage, not by a crash of
  /// the last write (or, under Durability::kProcess, sectors reached the medium out of order).
  std::optional<std::uint64_t> beyond;
  bool corrupt() const { return mark > valid_end; }
};

/// For each batch in turn, with its place in the segment.
using BatchVisitor = std::function<void(const BatchView&, std::uint64_t offset)>;

/// Reads a segment from its begin up to `limit` (its recorded end, or its size), believing nothing.
/// After the first bad batch it looks at every later multiple of 64 for batches, for their marks
/// (SAFETY 4): of one whose entries are damaged too, because a header is valid by itself. `visit`,
/// when set, is called for each batch of the run. Takes time in proportion to `limit`, whatever the
/// bytes. Any number of threads may scan what nobody writes.
SegmentScan ScanSegment(const Control& control, const Region& log, std::uint64_t segment,
                        std::uint64_t limit, BatchView::Payloads payloads,
                        const BatchVisitor& visit);
/// As ScanSegment with Payloads::kCheck, but visits (`visit` must be set) every valid batch, beyond
/// damage too: for a repair. Bytes made to waste its time may make it overlook batches beyond
/// damage.
SegmentScan SalvageSegment(const Control& control, const Region& log, std::uint64_t segment,
                           std::uint64_t limit, const BatchVisitor& visit);

}  // namespace cirein::dpm
