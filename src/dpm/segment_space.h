// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "cirein/status.h"

#include "dpm/control.h"
#include "region/region.h"

namespace cirein::dpm {

/// What a segment is wanted for: the last free ones are kept for what makes room.
enum class GrantFor : std::uint8_t {
  kWrites,   ///< Leaves kReservedForDeletes + kReservedForCleaner.
  kDeletes,  ///< Leaves kReservedForCleaner.
  kCleaner,  ///< May take the last one.
};
inline constexpr std::uint64_t kReservedForCleaner = 2;
inline constexpr std::uint64_t kReservedForDeletes = 1;

/// The segments of one shard of one incarnation, or of the cleaner: a log.
struct StreamId {
  std::uint64_t incarnation = 0;
  std::uint32_t shard = 0;
  friend auto operator<=>(const StreamId&, const StreamId&) = default;
};

/// Which segments there are, whose they are, how far each is written, synced and merged. Only this
/// class changes segment records, so it is "the DPM" of SAFETY 2: a grant, an end and a freeing are
/// persistent before anybody may rely on them.
///
/// A segment goes free -> open -> sealed -> (merged, dead) -> free with a new generation.
///
/// Thread-safe. Grant, Seal and Free block for their persists.
class SegmentSpace {
 public:
  SegmentSpace(Control& control, Region& log, bool on_files);

  Control& control() noexcept { return control_; }
  const Region& log() const noexcept { return log_; }
  Region& log() noexcept { return log_; }
  std::uint64_t count() const noexcept { return control_.segments(); }
  std::uint64_t segment_bytes() const noexcept { return segment_bytes_; }
  std::uint64_t begin_of(std::uint64_t segment) const noexcept { return segment * segment_bytes_; }
  std::uint64_t segment_of(std::uint64_t log_offset) const noexcept {
    return log_offset / segment_bytes_;
  }

  /// The pool takes no more writes: what every writer is told from now on.
  void Refuse(const Status& why);
  /// OK, or why not.
  Status refused() const;
  bool is_refused() const noexcept { return is_refused_.load(std::memory_order_acquire); }

  /// Takes the stream's next segment: record and header are persistent. ResourceExhausted when
  /// there is none for this use now; any other error is the medium's.
  Result<std::uint64_t> Grant(GrantFor use, StreamId stream);
  /// Records where the segment's log ends.
  Status Seal(std::uint64_t segment, std::uint64_t end);
  /// The segment's content is void from now on. Only when it is sealed (Internal if not) and
  /// nothing leads to it.
  Status Free(std::uint64_t segment);
  /// A recovery's finding of a sealed segment that a power cut shortened.
  Status Cut(std::uint64_t segment, std::uint64_t end);

  SegmentState state(std::uint64_t segment) const noexcept {
    return static_cast<SegmentState>(info_[segment].state.load(std::memory_order_acquire));
  }
  std::uint64_t generation(std::uint64_t segment) const noexcept {
    return info_[segment].generation.load(std::memory_order_acquire);
  }
  std::uint64_t seed(std::uint64_t segment) const noexcept {
    return SegmentSeed(control_.pool_id(), segment, generation(segment));
  }
  /// May a location in this segment that was learnt in the segment's life `generation` be followed?
  /// Asked inside a ReadEpochs::Guard, which then keeps the segment as it is. False from the moment
  /// that the segment waits for its readers to leave.
  bool may_follow(std::uint64_t segment, std::uint64_t generation) const noexcept {
    return info_[segment].followable.load(std::memory_order_seq_cst) == generation;
  }
  /// Nobody begins to read the segment from here on. Before ReadEpochs::Retire.
  void StopFollowing(std::uint64_t segment) noexcept {
    info_[segment].followable.store(0, std::memory_order_seq_cst);
  }
  /// Was it granted since the open? Then this process alone wrote it, and its bytes were never
  /// anywhere that they could have been damaged; what was there before is to be validated when it
  /// is read.
  bool is_ours(std::uint64_t segment) const noexcept {
    return info_[segment].granted.load(std::memory_order_acquire) != 0;
  }
  /// Whose it is; for segments that are not free.
  StreamId stream(std::uint64_t segment) const noexcept { return info_[segment].stream; }

  /// How far the segment's batches are acknowledged: where the merger and other readers stop.
  std::uint64_t committed(std::uint64_t segment) const noexcept {
    return info_[segment].committed.load(std::memory_order_acquire);
  }
  void SetCommitted(std::uint64_t segment, std::uint64_t end) noexcept {
    info_[segment].committed.store(static_cast<std::uint32_t>(end), std::memory_order_release);
  }
  /// How far it is known to be on the medium; never goes back in one life of the segment.
  std::uint64_t synced(std::uint64_t segment) const noexcept {
    return info_[segment].synced.load(std::memory_order_acquire);
  }
  void SetSynced(std::uint64_t segment, std::uint64_t end) noexcept {
    auto& synced = info_[segment].synced;
    std::uint32_t known = synced.load(std::memory_order_acquire);
    while (known < end && !synced.compare_exchange_weak(known, static_cast<std::uint32_t>(end))) {
    }
  }
  /// What the medium itself says of `synced`, by a batch or the mark word.
  std::uint64_t marked(std::uint64_t segment) const noexcept {
    return info_[segment].marked.load(std::memory_order_acquire);
  }
  void SetMarked(std::uint64_t segment, std::uint64_t end) noexcept {
    info_[segment].marked.store(static_cast<std::uint32_t>(end), std::memory_order_release);
  }

  /// How many segments were granted since this one was (since the open, at most).
  std::uint64_t age(std::uint64_t segment) const noexcept {
    return grants_.load(std::memory_order_relaxed) - info_[segment].granted.load();
  }

  std::uint64_t free_segments() const;
  /// Segments that are free but were never written; zeroed ahead on files, where a first write is
  /// slow.
  Status ZeroAhead(std::uint64_t wanted);

  /// The streams with their unmerged segments, oldest first.
  std::vector<std::pair<StreamId, std::vector<std::uint64_t>>> Unmerged() const;
  std::uint64_t unmerged(StreamId stream) const;
  /// Takes a segment that is sealed and merged to its end out of its stream's list.
  void SetMergedWhole(std::uint64_t segment);
  bool merged_whole(std::uint64_t segment) const noexcept {
    return info_[segment].merged_whole.load(std::memory_order_acquire);
  }

 private:
  struct Info {
    std::atomic<std::uint32_t> state{0};
    std::atomic<std::uint32_t> committed{0};
    std::atomic<std::uint32_t> synced{0};
    std::atomic<std::uint32_t> marked{0};
    std::atomic<bool> merged_whole{false};
    std::atomic<std::uint64_t> granted{0};
    std::atomic<std::uint64_t> generation{0};
    std::atomic<std::uint64_t> followable{0};  // The generation, while new readers may come.
    StreamId stream;
  };
  Status WriteHeader(std::uint64_t segment);
  std::optional<std::uint64_t> TakeFree(GrantFor use);

  Control& control_;
  Region& log_;
  const std::uint64_t segment_bytes_;
  const bool on_files_;
  std::vector<Info> info_;
  std::atomic<std::uint64_t> grants_{0};
  std::atomic<bool> is_refused_{false};

  mutable std::mutex mutex_;
  std::deque<std::uint64_t> free_;        // Written before (or zeroed): taken first.
  std::deque<std::uint64_t> free_fresh_;  // Never written.
  Status refused_;
  std::map<StreamId, std::uint64_t> sequences_;
  std::map<StreamId, std::deque<std::uint64_t>> unmerged_;
};

}  // namespace cirein::dpm
