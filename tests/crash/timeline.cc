// SPDX-License-Identifier: Apache-2.0
#include "crash/timeline.h"

#include <algorithm>

#include <fmt/format.h>

namespace cirein::crash {

ShardLog::ShardLog() : states_{std::make_shared<Model>()}, late_digests_{DigestOf(Cells())} {}

void ShardLog::Restart(const Range& answered, const Range& synced) {
  const std::size_t most = std::max(answered.most, synced.most);
  marks_.assign(most, Mark());
  states_.resize(most + 1);
  late_digests_.resize(most + 1);
  Acknowledge(answered.least, 0);
  Sync(synced.least, 0);
}

void ShardLog::Add(const Group& group, Version first, std::uint64_t staged_at) {
  auto next = std::make_shared<Model>(*states_.back());
  next->Apply(group, first);
  late_digests_.push_back(DigestOf(next->VisibleAt(kLateMs)));
  states_.push_back(std::move(next));
  marks_.push_back({.staged_at = staged_at});
}

void ShardLog::Acknowledge(std::size_t count, std::uint64_t at) {
  for (std::size_t i = count; i-- > 0 && marks_[i].answered_at == kNever;) {
    marks_[i].answered_at = at;
  }
}

void ShardLog::Sync(std::size_t count, std::uint64_t at) {
  for (std::size_t i = count; i-- > 0 && marks_[i].synced_at == kNever;) marks_[i].synced_at = at;
}

void ShardLog::Settle(std::size_t count, std::uint64_t at) {
  marks_.resize(count);
  states_.resize(count + 1);
  late_digests_.resize(count + 1);
  Acknowledge(count, at);
  Sync(count, at);
}

ShardLog::Range ShardLog::At(std::uint64_t point, Promise promise) const {
  Range range;
  for (const Mark& mark : marks_) {
    if (mark.staged_at > point) break;
    ++range.most;
    // What is synced was answered or found by an open.
    const std::uint64_t promised =
        promise == Promise::kAnswered ? std::min(mark.answered_at, mark.synced_at) : mark.synced_at;
    if (promised <= point) range.least = range.most;
  }
  return range;
}

std::optional<std::size_t> ShardLog::Match(const Range& range, const Observation::Shard& seen,
                                           std::optional<std::uint64_t> floor_ms) const {
  for (std::size_t n = range.most + 1; n-- > range.least;) {
    if (late_digests_[n] != seen.late_digest) continue;
    if (!floor_ms || DigestOf(states_[n]->VisibleAt(*floor_ms)) == seen.early_digest) return n;
  }
  return std::nullopt;
}

std::string Expectation::Judge(const Observation& seen,
                               std::array<std::size_t, kShards>* groups) const {
  for (std::size_t shard = 0; shard < kShards; ++shard) {
    const ShardLog& log = knowledge->shards[shard];
    const auto found = log.Match(ranges[shard], seen.shards[shard], floor_ms());
    if (!found) {
      const Model& least = log.state(ranges[shard].least);
      const Model& most = log.state(ranges[shard].most);
      return fmt::format(
          "shard {}: no state after {} to {} groups; late, against the least:{}\n and the "
          "most:{}\n "
          "early, against the most (floor {} to {}):{}",
          shard, ranges[shard].least, ranges[shard].most,
          Difference(least.VisibleAt(kLateMs), seen.shards[shard].late),
          Difference(most.VisibleAt(kLateMs), seen.shards[shard].late), least_floor_ms,
          most_floor_ms, Difference(most.VisibleAt(least_floor_ms), seen.shards[shard].early));
    }
    (*groups)[shard] = *found;
  }
  if (seen.earliest_expiry_ms <= least_floor_ms) {
    return fmt::format("something that expires at {} is there although the clock floor is {}",
                       seen.earliest_expiry_ms, least_floor_ms);
  }
  return {};
}

}  // namespace cirein::crash
