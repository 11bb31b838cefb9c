// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <fmt/format.h>

#include "cirein/status.h"

#include "dpm/entry.h"
#include "dpm/location.h"
#include "dpm/segment_space.h"

namespace cirein::dpm {

/// Calls visit(batch, offset) for each batch of a segment from `from` (where one begins) up to
/// `to`, which is committed; visit returns a Status, and an error ends the walk. What this process
/// did not write itself is validated first, but for large data with checksums of their own: bytes
/// may have been damaged since they were scanned, if they ever were. DataLoss then, naming segment
/// and offset: nothing of the segment may be moved or freed.
template <typename Visit>
Status WalkBatches(const SegmentSpace& space, std::uint64_t segment, std::uint64_t from,
                   std::uint64_t to, Visit&& visit) {
  const std::byte* const bytes = space.log().data() + space.begin_of(segment);
  const bool ours = space.is_ours(segment);
  const std::uint64_t seed = space.seed(segment);
  for (std::uint64_t at = from; at < to;) {
    BatchView batch = BatchView::Trust(bytes + at);
    if (!ours && !BatchView::Parse(ByteSpan(bytes + at, to - at), seed, at,
                                   BatchView::Payloads::kSkip, &batch)) {
      return DataLoss(fmt::format("segment {}, batch at {}: damaged", segment, at),
                      "restore the pool from a copy, or save what is valid with "
                      "`cirein pool verify --repair`");
    }
    if (Status status = visit(batch, at); !status.ok()) return status;
    at += batch.header().bytes;
  }
  return OkStatus();
}

/// The same for each entry: visit(entry, location).
template <typename Visit>
Status WalkEntries(const SegmentSpace& space, std::uint64_t segment, Visit&& visit) {
  const std::uint64_t begin = space.begin_of(segment);
  return WalkBatches(space, segment, kFirstBatch, space.committed(segment),
                     [&](const BatchView& batch, std::uint64_t at) {
                       Status status;
                       batch.ForEach([&](const EntryView& entry, std::uint64_t offset) {
                         if (status.ok()) status = visit(entry, Location{begin + at + offset});
                       });
                       return status;
                     });
}

}  // namespace cirein::dpm
