// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crash/model.h"

namespace cirein::crash {

/// Shards of one pool; each has rows of its own.
inline constexpr std::size_t kShards = 2;
inline constexpr std::uint64_t kNever = UINT64_MAX;

/// What was seen of a pool.
struct Observation {
  struct Shard {
    Cells late;   ///< Visible at kLateMs.
    Cells early;  ///< Visible by the pool's clock floors alone.
    std::uint64_t late_digest = 0;
    std::uint64_t early_digest = 0;
  };
  std::array<Shard, kShards> shards;
  std::uint64_t earliest_expiry_ms = kNever;  ///< Of what is visible early.
  std::vector<std::string> notes;             ///< What the open found worth saying.
};

/// The groups that a shard was told, in order, and since which event (of the medium's history) each
/// was on its way, was answered, and was promised to survive a power cut.
class ShardLog {
 public:
  ShardLog();

  /// A pool must hold the first n groups, with n from least to most.
  struct Range {
    std::size_t least = 0;
    std::size_t most = 0;
  };
  /// A new history begins, with what is known of the old one: what may be there is on its way since
  /// ever, what must be there is promised since ever.
  void Restart(const Range& answered, const Range& synced);
  void Add(const Group& group, Version first, std::uint64_t staged_at);
  std::size_t groups() const noexcept { return marks_.size(); }
  const Model& newest() const { return *states_.back(); }
  /// The first `count` groups were answered, or synced, from this event on.
  void Acknowledge(std::size_t count, std::uint64_t at);
  void Sync(std::size_t count, std::uint64_t at);
  /// Those after the first `count` never were; the others are safe, from this event on.
  void Settle(std::size_t count, std::uint64_t at);

  enum class Promise : std::uint8_t { kAnswered, kSynced };
  Range At(std::uint64_t point, Promise promise) const;
  /// The greatest n of a range with which the observation agrees. `floor_ms`: the clock floor, if
  /// it is known.
  std::optional<std::size_t> Match(const Range& range, const Observation::Shard& seen,
                                   std::optional<std::uint64_t> floor_ms) const;
  const Model& state(std::size_t groups) const { return *states_[groups]; }

 private:
  struct Mark {
    std::uint64_t staged_at = 0;
    std::uint64_t answered_at = kNever;
    std::uint64_t synced_at = kNever;
  };
  std::vector<Mark> marks_;
  std::vector<std::shared_ptr<const Model>> states_;  // One more than groups.
  std::vector<std::uint64_t> late_digests_;           // Of each state.
};

/// What a pool was told until some event, and what it has to know of it after a crash.
struct Knowledge {
  std::array<ShardLog, kShards> shards;
};

/// A crash's expectation: a Knowledge at a point.
struct Expectation {
  std::shared_ptr<const Knowledge> knowledge;
  std::array<ShardLog::Range, kShards> ranges;
  /// The clock floor of each slot is one of these or between them.
  std::uint64_t least_floor_ms = 0;
  std::uint64_t most_floor_ms = 0;

  std::optional<std::uint64_t> floor_ms() const {
    if (least_floor_ms != most_floor_ms) return std::nullopt;
    return least_floor_ms;
  }
  /// Why the observation is none of what may be; empty when it is. The numbers of groups that are
  /// there go to `groups`.
  std::string Judge(const Observation& seen, std::array<std::size_t, kShards>* groups) const;
};

}  // namespace cirein::crash
