// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cirein/status.h"

#include "dpm/index.h"
#include "dpm/segment_space.h"

namespace cirein::dpm {

/// Brings what is committed in the logs into the index: each stream in order, never past what is
/// committed (SAFETY 3), batch by batch. After a crash it begins again where the index says that it
/// was, or earlier: applying an entry twice changes nothing.
///
/// The DPM's processor only.
class Merger {
 public:
  /// `released` hears of the number of each extent whose entry was superseded; another entry may
  /// still name it.
  using Released = std::function<void(std::uint64_t extent, const EntryView& entry)>;
  Merger(SegmentSpace& space, Index& index, Released released);

  /// Merges at most about `max_entries`; how many it did. ResourceExhausted when the index has no
  /// room; Internal when two writers claim one version (SAFETY 7): nothing more may be merged then.
  Result<std::uint64_t> Step(std::uint64_t max_entries);

  /// `merged` is to be how many entries of the stream are merged from now on: written after the
  /// index leads to them.
  void CountFor(StreamId stream, std::shared_ptr<std::atomic<std::uint64_t>> merged) {
    counters_[stream] = std::move(merged);
  }

  /// How far the segment is merged.
  std::uint64_t merged(std::uint64_t segment) const;
  /// How many gone keys and row entries were merged since the object was made.
  std::uint64_t gone_merged() const noexcept { return gone_merged_; }
  /// Was there an entry that will expire?
  bool saw_expiry() const noexcept { return saw_expiry_; }

 private:
  Result<std::uint64_t> MergeSegment(StreamId stream, std::uint64_t segment,
                                     std::uint64_t max_entries);
  Status ApplyOps(StreamId stream);
  Status CheckOutcome(StreamId stream, const Index::Op& op);
  void AddLive(Location location, std::int64_t bytes);

  SegmentSpace& space_;
  Index& index_;
  const Released released_;
  std::vector<Index::Op> ops_;
  std::map<StreamId, std::shared_ptr<std::atomic<std::uint64_t>>> counters_;
  StreamId last_;  // The log that the last step looked at last.
  std::uint64_t gone_merged_ = 0;
  bool saw_expiry_ = false;
};

}  // namespace cirein::dpm
