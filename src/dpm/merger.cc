// SPDX-License-Identifier: Apache-2.0
#include "dpm/merger.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dpm/log_walk.h"

namespace cirein::dpm {

namespace {

/// Applied at once: enough for the index to look ahead, few enough to stay in the cache.
constexpr std::size_t kOpsAtOnce = 512;

}  // namespace

Merger::Merger(SegmentSpace& space, Index& index, Released released)
    : space_(space), index_(index), released_(std::move(released)) {}

std::uint64_t Merger::merged(std::uint64_t segment) const {
  return std::max(index_.merged(segment, space_.generation(segment)), kFirstBatch);
}

void Merger::AddLive(Location location, std::int64_t bytes) {
  index_.AddLiveBytes(space_.segment_of(location.offset), bytes);
}

Status Merger::CheckOutcome(StreamId stream, const Index::Op& op) {
  bool conflict = op.outcome == Index::Outcome::kConflict;
  if (op.outcome == Index::Outcome::kStale && !op.entry.has(kCopied)) {
    // Older within the epoch of what is there, by another writer: two owners at once.
    const auto found = index_.Find(op.entry.key(), op.entry.slot());
    if (found && !found->entry.has(kCopied) &&
        found->entry.version().epoch == op.entry.version().epoch) {
      conflict = space_.stream(space_.segment_of(found->location.offset)) != stream;
    }
  }
  if (!conflict) return OkStatus();
  return Internal(
      fmt::format("segment {}, entry at {}: version {} of '{}' was also given by another writer",
                  space_.segment_of(op.location.offset),
                  op.location.offset % space_.segment_bytes(), op.entry.version().ToString(),
                  op.entry.key().ToKey().ToString()),
      "nothing was lost, but the pool takes no more writes; please report this");
}

Status Merger::ApplyOps(StreamId stream) {
  const auto superseded = [this](Location location, const EntryView& entry) {
    AddLive(location, -static_cast<std::int64_t>(entry.size()));
    if (const auto extent = entry.extent()) released_(*extent, entry);
  };
  const std::size_t done = index_.Apply(ops_, superseded);
  for (std::size_t i = 0; i < done; ++i) {
    const Index::Op& op = ops_[i];
    if (op.outcome == Index::Outcome::kApplied) {
      AddLive(op.location, static_cast<std::int64_t>(op.entry.size()));
      if (op.entry.kind() != EntryKind::kObject) ++gone_merged_;
      if (op.entry.has(kHasExpiry)) saw_expiry_ = true;
      continue;
    }
    if (op.outcome == Index::Outcome::kRepeated) continue;
    if (Status status = CheckOutcome(stream, op); !status.ok()) return status;
    // Dead on arrival: nothing else will say that its extent is not needed.
    if (const auto extent = op.entry.extent()) released_(*extent, op.entry);
  }
  if (done == ops_.size()) return OkStatus();
  return ResourceExhausted("the pool's index is full",
                           "drop objects, or create a pool with a larger index");
}

Result<std::uint64_t> Merger::MergeSegment(StreamId stream, std::uint64_t segment,
                                           std::uint64_t max_entries) {
  const std::uint64_t begin = space_.begin_of(segment);
  const std::uint64_t generation = space_.generation(segment);
  const std::uint64_t committed = space_.committed(segment);
  std::uint64_t at = merged(segment);
  std::uint64_t entries = 0;
  const auto counter = counters_.find(stream);
  while (at < committed && entries < max_entries) {
    ops_.clear();
    std::uint64_t next = at;
    const auto collect = [&](const BatchView& batch, std::uint64_t offset_of_batch) {
      if (ops_.size() >= kOpsAtOnce) return Cancelled("enough for now");
      batch.ForEach([&](const EntryView& entry, std::uint64_t offset) {
        const std::uint64_t hash = Hash64(entry.row(), entry.header().bucket);
        const Location location{begin + offset_of_batch + offset};
        ops_.push_back({entry, location, hash, Index::Outcome::kApplied});
      });
      next = offset_of_batch + batch.header().bytes;
      return OkStatus();
    };
    Status walked = WalkBatches(space_, segment, at, committed, collect);
    if (!walked.ok() && walked.code() != StatusCode::kCancelled) return walked;
    if (Status status = ApplyOps(stream); !status.ok()) return status;
    if (Status status = index_.PersistLinks(); !status.ok()) return status;
    if (Status status = index_.SetMerged(segment, generation, next); !status.ok()) return status;
    entries += ops_.size();
    at = next;
    if (counter != counters_.end()) {
      counter->second->fetch_add(ops_.size(), std::memory_order_release);
    }
  }
  return entries;
}

Result<std::uint64_t> Merger::Step(std::uint64_t max_entries) {
  std::uint64_t entries = 0;
  auto streams = space_.Unmerged();
  // After the one at which the last step ended: a busy log must not keep the others waiting.
  const auto next = std::ranges::find_if(
      streams, [this](const auto& unmerged) { return unmerged.first > last_; });
  std::rotate(streams.begin(), next, streams.end());
  for (const auto& [stream, segments] : streams) {
    last_ = stream;
    for (const std::uint64_t segment : segments) {
      // Sealed first: what is committed cannot grow after that.
      const bool sealed = space_.state(segment) == SegmentState::kSealed;
      Result<std::uint64_t> done = MergeSegment(stream, segment, max_entries - entries);
      if (!done.ok()) return done.status();
      entries += *done;
      if (!sealed || merged(segment) < space_.committed(segment)) break;
      space_.SetMergedWhole(segment);
      if (entries >= max_entries) break;
    }
    if (entries >= max_entries) break;
  }
  return entries;
}

}  // namespace cirein::dpm
