// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "cirein/status.h"

#include "dpm/entry.h"
#include "dpm/location.h"
#include "dpm/segment_space.h"

namespace cirein::dpm {

/// Writes one log: stages entries into a batch, and commits the batch with one write and one
/// persist. One batch is on its way at a time (SAFETY 4).
///
/// What a crash leaves: before Commit's write nothing; during it a torn batch, which is no batch;
/// after it the batch, acknowledged or not. Under Durability::kProcess Commit answers after the
/// write, and Dpm::Sync persists for all.
///
/// One thread at a time, but for PersistFlight.
class LogWriter {
 public:
  struct Options {
    StreamId stream;
    Durability durability = Durability::kProcess;
    bool cleaner = false;
    /// Called before each grant, to wait for room or to make some; OK: there was room a moment ago.
    /// An error is what the caller of Stage gets, but a group that only deletes may still find
    /// room. The cleaner's own log needs none.
    std::function<Status()> await_room;
    /// Called after each commit with the bytes of its batch: the merger has something to do.
    std::function<void(std::uint64_t)> on_commit;
    /// Kept by the merger: how many of this writer's entries the index knows, the oldest first.
    std::shared_ptr<const std::atomic<std::uint64_t>> merged;
  };
  LogWriter(SegmentSpace& space, Options options);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// The largest group (and so the largest entry): what fits in an empty segment.
  std::uint64_t max_batch_bytes() const noexcept;

  /// Adds entries to the batch, all of them or none: a group of several is valid all or none. Where
  /// they will be is written to `locations` (as many). nullopt-like `kFull`: commit first, then
  /// again.
  /// While a batch is on its way the next one is staged; it is then also kFull when the segment has
  /// no room for it.
  enum class Staged : std::uint8_t { kStaged, kFull };
  /// InvalidArgument: larger than max_batch_bytes. ResourceExhausted: the pool is full (groups that
  /// only delete find room a little longer). A writer that failed once fails for ever.
  Result<Staged> Stage(std::span<const EntryFields> group, std::span<Location> locations);

  bool has_staged() const noexcept { return builder_.count() != 0; }
  /// Makes the batch readable and, with Durability::kPower, persistent: when it returns OK all that
  /// was staged may be acknowledged. Blocks for the medium. An error: nothing of it may be, and the
  /// writer takes nothing more.
  Status Commit();

  // Commit in three parts, so that others can stage meanwhile and nobody holds a lock while the
  // medium works. One batch is on its way at a time.
  /// What is staged goes on its way; false when nothing is, or the writer has failed.
  bool BeginFlight();
  /// Writes it, and persists it with Durability::kPower. Blocks. From any thread, beside Stage.
  Status PersistFlight();
  /// `persisted` is what PersistFlight said.
  Status EndFlight(const Status& persisted);
  bool in_flight() const noexcept { return flight_.has_value(); }

  /// How many entries were staged (and not given up) until now: the n-th is merged when merged() is
  /// at least n.
  std::uint64_t staged_entries() const noexcept { return staged_entries_; }
  std::uint64_t merged_entries() const noexcept {
    return options_.merged->load(std::memory_order_acquire);
  }

  /// Forgets what is staged.
  void Abandon();

  /// Stage and Commit of one group. Like a Stage, but never kFull.
  Status Write(std::span<const EntryFields> group, std::span<Location> locations);

  /// The one that is open.
  std::optional<std::uint64_t> segment() const noexcept { return segment_; }
  /// Seals the open segment, if there is one; the next batch begins another.
  Status Seal();

  std::uint64_t bytes_written() const noexcept { return bytes_written_; }

 private:
  Result<std::uint64_t> Grant(bool deletes_only);
  /// Grants the next segment first and seals the last one then: a writer that finds no room keeps
  /// what is left of its segment, for smaller groups and for deletes.
  Status NextSegment(bool deletes_only);
  void BeginBatch();

  // The batch on its way; its bytes are flying_'s.
  struct Flight {
    std::uint64_t segment = 0;
    std::uint64_t at = 0;  // In the segment.
    std::uint64_t mark = 0;
    ByteSpan bytes;
  };
  SegmentSpace& space_;
  const Options options_;
  std::optional<std::uint64_t> segment_;
  bool reserved_ = false;  // The segment was granted for deletes.
  std::uint64_t segment_seed_ = 0;
  std::uint64_t next_ = 0;  // Where the next batch begins, in the segment.
  BatchBuilder builder_;
  BatchBuilder flying_;
  std::optional<Flight> flight_;
  std::uint64_t staged_entries_ = 0;
  Status failed_;
  std::uint64_t bytes_written_ = 0;
};

}  // namespace cirein::dpm
