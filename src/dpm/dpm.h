// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "dpm/cleaner.h"
#include "dpm/control.h"
#include "dpm/extent_store.h"
#include "dpm/index.h"
#include "dpm/log_writer.h"
#include "dpm/merger.h"
#include "dpm/read_epochs.h"
#include "dpm/segment_space.h"
#include "region/region.h"

namespace cirein::dpm {

/// What a new pool is made with.
struct CreateOptions {
  std::uint64_t log_bytes = std::uint64_t{1} << 30;  ///< Rounded down to whole segments.
  std::uint64_t segment_bytes = kDefaultSegmentBytes;
  std::uint64_t index_bytes = 0;         ///< 0: a quarter of the log, and a bit.
  std::uint64_t extent_limit_bytes = 0;  ///< For large objects; 0: as much as the log.
  std::uint64_t large_bytes = 0;         ///< 0: DefaultLargeBytes.
  Durability durability = Durability::kProcess;
  std::uint64_t pool_id = 0;     ///< Random, from the caller; not 0.
  std::uint64_t created_ms = 0;  ///< Wall clock, since 1970.
};

/// The size of segments for a log of so many bytes: kDefaultSegmentBytes, less in a small pool, so
/// that it has a few dozen.
std::uint64_t DefaultSegmentBytes(std::uint64_t log_bytes);
/// Beyond how many bytes an object's data has an extent of its own: 256 KiB with segments of 8 MiB,
/// where copying it out begins to cost more than mapping a file; in small segments an eighth of
/// them.
std::uint64_t DefaultLargeBytes(std::uint64_t segment_bytes);

struct OpenOptions {
  /// Save what is valid of a damaged pool, and say in the findings what is lost. Only when a person
  /// told us to.
  enum class Repair : std::uint8_t { kNo, kYes } repair = Repair::kNo;
};

/// A pool of disaggregated memory, opened by the process that is its DPM: objects, in a log that is
/// cut into segments, and an index over them.
///
/// Roles: writers (LogWriter, one for each shard) append; readers look up and follow locations
/// inside a ReadEpochs::Guard; the processor (whoever calls Work) merges, cleans and frees. Work is
/// serialized by a lock: any thread may call it, and a writer that finds no room calls it itself,
/// so that a pool works with and without a processor thread.
///
/// Opening a pool is a grant of all its slots to a new incarnation (SAFETY 7): `epoch()` is what
/// its versions begin with.
class Dpm {
 public:
  /// Makes the pool's regions in an empty space. The superblock is written last: a pool whose
  /// creation was cut short is refused by Open, and Create removes it first. Errors:
  /// InvalidArgument (sizes), AlreadyExists (there is a pool), ResourceExhausted (the medium is
  /// full; then nothing is left behind), IoError.
  static Status Create(RegionSpace& space, CreateOptions options);

  /// Locks the space, checks, recovers. `findings` hears of all that was noticed, also when it
  /// fails. Errors: NotFound (no pool there), FailedPrecondition (open in another process; other
  /// version), DataLoss (damage: nothing was changed; the message names segment and entry),
  /// IoError.
  static Result<std::unique_ptr<Dpm>> Open(std::unique_ptr<RegionSpace> space,
                                           const OpenOptions& options, Findings* findings);
  /// Without Close the pool is left as by a crash of the process.
  ~Dpm();

  /// Merges everything, persists the index, marks the pool clean. FailedPrecondition when a
  /// writer's segment is not sealed, or when the pool failed.
  Status Close();

  Superblock superblock() const { return control_->superblock(); }
  Durability durability() const { return static_cast<Durability>(superblock().durability); }
  std::uint64_t pool_id() const noexcept { return control_->pool_id(); }
  std::uint64_t incarnation() const noexcept { return incarnation_; }
  /// The epoch of this opening's grant of all slots.
  std::uint32_t epoch() const noexcept { return epoch_; }
  RegionSpace& space() noexcept { return *space_; }

  /// A log for a shard (not kCleanerShard). Seal and destroy it before Close. The result must not
  /// outlive the pool.
  std::unique_ptr<LogWriter> NewWriter(std::uint32_t shard);
  ExtentStore& extents() noexcept { return *extents_; }

  ReadEpochs& read_epochs() noexcept { return *epochs_; }
  const Index& index() const noexcept { return *index_; }
  const std::byte* log() const noexcept { return log_->data(); }
  const SegmentSpace& segments() const noexcept { return *segments_; }

  /// The newest entry of the key that is visible at `now_ms` (since 1970), judged by the slot's
  /// clock floor if that is later (SAFETY 9); nullopt when there is none. What is not merged yet is
  /// the writer's own business. Inside a ReadEpochs::Guard; the result is valid until it ends.
  std::optional<Index::Found> Find(const KeyView& key, std::uint16_t slot,
                                   std::uint64_t now_ms) const;
  bool Visible(const Index::Found& found, std::uint16_t slot, std::uint64_t now_ms) const;
  /// Is what expires at `expiry_ms` over? Everybody judges by this: once it has said so, it says so
  /// from then on, whatever the caller's clock does. Thread-safe.
  bool Expired(std::uint64_t expiry_ms, std::uint16_t slot, std::uint64_t now_ms) const;
  /// Will every later open say so too? Before anybody is told that what expired is absent, it must
  /// (SAFETY 9): if not, KeepJudgements, before the answer. Thread-safe.
  bool IsJudgementKept(std::uint64_t expiry_ms, std::uint16_t slot) const;
  /// How far judgements must be kept for all that Expired has said so far.
  std::uint64_t judgements_asked() const noexcept {
    return asked_ms_.load(std::memory_order_acquire);
  }
  bool AreJudgementsKept(std::uint64_t asked) const noexcept {
    return asked <= kept_judged_ms_.load(std::memory_order_acquire);
  }
  /// Persists what Expired has said so far; one who comes meanwhile shares it. Thread-safe; blocks.
  /// After an error the pool takes nothing more.
  Status KeepJudgements();
  /// From now on, and after every later open, expiry is judged by no earlier time. Persists.
  Status RaiseClockFloor(std::uint64_t now_ms);
  /// It is `now_ms` (since 1970), for a pool in which something expires: the next Sync raises the
  /// clock floor, so that the room of what expired can be had again. Does nothing more often than
  /// each 10 s.
  void ObserveTime(std::uint64_t now_ms);

  struct WorkDone {
    std::uint64_t merged_entries = 0;
    std::uint64_t copied_bytes = 0;
    std::uint64_t cleaned_segments = 0;
    std::uint64_t freed_segments = 0;
    std::uint64_t freed_extents = 0;
    std::uint64_t buried = 0;     ///< Expired objects that became gone keys.
    std::uint64_t forgotten = 0;  ///< Gone keys that nothing needs any more.
    bool any() const noexcept {
      return merged_entries + cleaned_segments + freed_segments + freed_extents + buried +
                 forgotten !=
             0;
    }
  };
  /// One bounded piece of the processor's work. Urgent: a writer waits for room, so clean whatever
  /// gains anything, and sync now if freeing needs it.
  enum class Urgency : std::uint8_t { kNormal, kUrgent };
  Result<WorkDone> Work(Urgency urgency);

  /// Works until nothing is left to merge.
  Status MergeAll();
  /// Persists what was answered from the page cache, and marks how far; at least once a second with
  /// Durability::kProcess. With kPower it only marks idle logs.
  Status Sync();

  /// OK, or why the pool takes no more writes.
  Status status() const;
  /// Told after each commit, from the writer's thread, how many bytes of log it was: somebody
  /// should call Work soon. Set before there are writers.
  using OnCommit = std::function<void(std::uint64_t bytes)>;
  void SetOnCommit(OnCommit on_commit);

  struct Stats {
    std::uint64_t segments = 0;
    std::uint64_t free_segments = 0;
    std::uint64_t live_bytes = 0;     ///< Of entries the index leads to.
    std::uint64_t written_bytes = 0;  ///< In all segments that are not free, dead ones too.
    std::uint64_t copied_bytes = 0;   ///< By the cleaner.
    std::uint64_t extents = 0;
    std::uint64_t extent_bytes = 0;
    std::uint64_t pinned_bytes = 0;  ///< Of extents that are gone but for those who hold them.
    Index::Stats index;
  };
  Stats GetStats() const;

 private:
  friend class Recovery;  // Puts an opened pool together.
  struct DyingExtent {
    std::uint64_t number = 0;
    std::string row;
    std::string column;
    bool has_column = false;
    std::uint32_t bucket = 0;
    std::uint16_t slot = 0;
  };
  /// Dead, and waiting for a sync that begins after it was, and then for readers to leave.
  struct Dying {
    std::vector<std::uint64_t> segments;
    std::vector<std::uint64_t> extents;
    std::uint64_t sync = 0;   // The number of the sync that is awaited.
    std::uint64_t stamp = 0;  // Of the read epochs.
  };
  /// A part of a segment that a sync is about.
  struct SyncRange {
    std::uint64_t segment = 0;
    std::uint64_t generation = 0;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
  };

  Dpm() = default;
  /// With all regions and segments there: makes the processor's tools.
  void MakeProcessor();

  Status Fail(Status status);
  Status AwaitRoom(StreamId stream);
  bool HasRoom(StreamId stream) const;
  /// A segment for writes, beside those that are kept for what makes room.
  bool HasFree() const;
  bool IndexHasRoom() const;
  Status AwaitExtentRoom();
  /// Leaves the lock for a moment, so that readers may leave; false when patience is at its end.
  bool AwaitReaders(std::unique_lock<std::mutex>& lock, int& patience);
  Status BuryExpired(WorkDone* done);
  Status RaiseClockFloorLocked(std::uint64_t now_ms);
  Status RaiseToJudged();
  Result<WorkDone> WorkLocked(Urgency urgency);
  Status MergeSome(std::uint64_t max_entries, WorkDone* done);
  /// The bytes that were copied, if there was anything to clean.
  Result<std::optional<std::uint64_t>> CleanOne(Urgency urgency, WorkDone* done);
  Status CleanSome(Urgency urgency, WorkDone* done);
  Status FreeDying(Urgency urgency, WorkDone* done);
  Status SweepIfWorth(Urgency urgency, WorkDone* done);
  void CollectReleased();
  std::vector<SyncRange> SyncRanges() const;
  Status PersistRanges(const std::vector<SyncRange>& ranges);
  Status MarkRanges(const std::vector<SyncRange>& ranges);
  Status SyncLocked();

  std::unique_ptr<RegionSpace> space_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Region> log_;
  std::unique_ptr<ReadEpochs> epochs_;
  std::unique_ptr<SegmentSpace> segments_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<ExtentStore> extents_;
  std::uint64_t incarnation_ = 0;
  std::uint32_t epoch_ = 0;
  bool power_ = false;
  /// The latest time by which anybody was told that something expired.
  mutable std::atomic<std::uint64_t> judged_ms_{0};
  mutable std::atomic<std::uint64_t> asked_ms_{0};  // The latest expiry that is to be kept.
  std::atomic<std::uint64_t> kept_judged_ms_{0};
  std::mutex judged_mutex_;  // Of those who keep judgements.
  /// Of the slot roots, for readers of any thread.
  std::array<std::atomic<std::uint64_t>, kSlotCount> clock_floors_ms_{};

  mutable std::mutex work_mutex_;  // The processor's role.
  std::unique_ptr<LogWriter> cleaner_log_;
  std::unique_ptr<Merger> merger_;
  std::unique_ptr<Cleaner> cleaner_;
  std::vector<DyingExtent> released_;
  Dying gathering_;               // Not yet synced.
  std::vector<Dying> dying_;      // Synced; waiting for readers.
  std::uint64_t gone_swept_ = 0;  // merger_->gone_merged() at the last sweep.

  std::atomic<std::uint64_t> syncs_begun_{0};
  std::atomic<std::uint64_t> syncs_done_{0};  // The highest number of those that are done.
  std::uint64_t floor_ms_ = 0;                // The highest clock floor that is persisted.
  std::uint64_t buried_ms_ = 0;               // Up to which time expired objects were buried.
  bool swept_ = false;                        // Since the open.
  OnCommit on_commit_;
};

}  // namespace cirein::dpm
