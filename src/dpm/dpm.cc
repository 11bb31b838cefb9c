// SPDX-License-Identifier: Apache-2.0
#include "dpm/dpm.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <fmt/format.h>

#include "base/sabotage.h"
#include "dpm/log_scanner.h"
#include "dpm/recovery.h"
#include "dpm/tombstone_sweep.h"
#include "runtime/adaptive_wait.h"

namespace cirein::dpm {

namespace {

/// A shard's log may have this many segments that are not merged (DESIGN: two, and the open one).
constexpr std::uint64_t kMaxUnmergedSegments = 3;
constexpr std::uint64_t kMergeAtOnce = 8192;
/// Cleaning begins when fewer segments are free: this part of all, and a few.
constexpr std::uint64_t kFreePart = 16;
constexpr std::uint64_t kFreeAtLeast = kReservedForCleaner + kReservedForDeletes + 2;
/// Gone keys are swept when those merged since the last sweep make up this part of the log.
constexpr std::uint64_t kGonePart = 16;
constexpr std::uint64_t kGonePartLast = 256;
constexpr std::uint64_t kGoneBytes = 96;  // About what one takes in the log.
constexpr std::uint64_t kSweepAtOnce = std::uint64_t{1} << 20;
/// Before a segment is granted the index must have room for what so many segments full of entries
/// may need at most commonly: a quarter of their bytes. Rows with one tiny column each need more;
/// then the merging stops, says so, and the next open makes the index larger.
constexpr std::uint64_t kIndexPart = 4;
constexpr std::uint64_t kIndexSegments = 4;
constexpr std::uint64_t kFloorEveryMs = 10'000;
constexpr std::uint64_t kSegmentsZeroedAhead = 2;
/// A reader is inside for as long as a look-up takes, or a walk of a long row. Rounds of some 12
/// us, or of a time slice where others want the core: a second at least before room that is only
/// waited for counts as none.
constexpr int kReaderPatience = 80'000;
/// Small pools get smaller segments, so that there are at least so many.
constexpr std::uint64_t kWantedSegments = 16;

}  // namespace

std::uint64_t DefaultSegmentBytes(std::uint64_t log_bytes) {
  const std::uint64_t largest = std::bit_floor(log_bytes / kWantedSegments);
  return std::clamp(largest, kMinSegmentBytes, kDefaultSegmentBytes);
}

std::uint64_t DefaultLargeBytes(std::uint64_t segment_bytes) {
  constexpr std::uint64_t kWorthAFile = 64 * 1024;
  return std::min(std::max(segment_bytes / 32, kWorthAFile), segment_bytes / 8);
}

Status Dpm::Create(RegionSpace& space, CreateOptions options) { return CreatePool(space, options); }

Result<std::unique_ptr<Dpm>> Dpm::Open(std::unique_ptr<RegionSpace> space,
                                       const OpenOptions& options, Findings* findings) {
  return Recovery(std::move(space), options, findings).Run();
}

Dpm::~Dpm() = default;

void Dpm::MakeProcessor() {
  power_ = durability() == Durability::kPower;
  judged_ms_ = superblock().judged_ms;
  kept_judged_ms_ = superblock().judged_ms;
  for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const std::uint64_t floor_ms = control_->slot_root(slot).clock_floor_ms;
    clock_floors_ms_[slot].store(floor_ms);
    floor_ms_ = std::max(floor_ms_, floor_ms);
  }
  extents_ =
      std::make_unique<ExtentStore>(*space_, *control_, [this] { return AwaitExtentRoom(); });
  merger_ = std::make_unique<Merger>(
      *segments_, *index_, [this](std::uint64_t extent, const EntryView& entry) {
        released_.push_back({extent, std::string(entry.row()), std::string(entry.column()),
                             entry.has_column(), entry.header().bucket, entry.slot()});
      });
  cleaner_log_ = std::make_unique<LogWriter>(
      *segments_, LogWriter::Options{.stream = {incarnation_, kCleanerShard},
                                     .durability = durability(),
                                     .cleaner = true,
                                     .await_room = nullptr,
                                     .on_commit = nullptr,
                                     .merged = nullptr});
  cleaner_ = std::make_unique<Cleaner>(*segments_, *index_, *merger_, *cleaner_log_);
}

// ---- Writers ----

std::unique_ptr<LogWriter> Dpm::NewWriter(std::uint32_t shard) {
  const StreamId stream{incarnation_, shard};
  auto merged = std::make_shared<std::atomic<std::uint64_t>>(0);
  {
    const std::lock_guard lock(work_mutex_);
    merger_->CountFor(stream, merged);
  }
  return std::make_unique<LogWriter>(
      *segments_, LogWriter::Options{.stream = stream,
                                     .durability = durability(),
                                     .cleaner = false,
                                     .await_room = [this, stream] { return AwaitRoom(stream); },
                                     .on_commit =
                                         [this](std::uint64_t bytes) {
                                           if (on_commit_) on_commit_(bytes);
                                         },
                                     .merged = std::move(merged)});
}

void Dpm::SetOnCommit(OnCommit on_commit) { on_commit_ = std::move(on_commit); }

bool Dpm::HasRoom(StreamId stream) const {
  if (segments_->unmerged(stream) >= kMaxUnmergedSegments) return false;
  return HasFree();
}

bool Dpm::HasFree() const {
  return segments_->free_segments() > kReservedForCleaner + kReservedForDeletes;
}

bool Dpm::IndexHasRoom() const {
  const Index::Stats stats = index_->GetStats();
  return stats.heap_bytes - stats.used_bytes >=
         kIndexSegments * segments_->segment_bytes() / kIndexPart;
}

Status Dpm::AwaitRoom(StreamId stream) {
  std::unique_lock lock(work_mutex_);
  int patience = kReaderPatience;
  while (!HasRoom(stream)) {
    // A log that is only not merged yet needs the merger: to clean what hardly gains anything would
    // write as much again.
    const Result<WorkDone> done = WorkLocked(HasFree() ? Urgency::kNormal : Urgency::kUrgent);
    if (!done.ok()) return done.status();
    if (HasRoom(stream)) break;
    if (done->any()) continue;
    // Room is there as soon as readers have left.
    if (!dying_.empty() && AwaitReaders(lock, patience)) continue;
    return ResourceExhausted(
        fmt::format("the pool in '{}' is full: {} of {} segments are free", space_->path(),
                    segments_->free_segments(), segments_->count()),
        "drop objects, or create a larger pool");
  }
  if (IndexHasRoom()) return OkStatus();
  if (Status merged = MergeSome(UINT64_MAX, nullptr); !merged.ok()) return merged;
  index_->Reclaim();
  if (IndexHasRoom()) return OkStatus();
  const Index::Stats stats = index_->GetStats();
  return ResourceExhausted(
      fmt::format("the index of the pool in '{}' is full: {} of {} bytes are free", space_->path(),
                  stats.heap_bytes - stats.used_bytes, stats.heap_bytes),
      "drop objects, or create a pool with a larger index");
}

bool Dpm::AwaitReaders(std::unique_lock<std::mutex>& lock, int& patience) {
  if (--patience < 0) return false;
  lock.unlock();
  AdaptiveWait wait;
  while (wait.Pause()) {
  }
  lock.lock();
  return true;
}

Status Dpm::AwaitExtentRoom() {
  std::unique_lock lock(work_mutex_);
  WorkDone done;
  if (Status status = MergeSome(UINT64_MAX, &done); !status.ok()) return status;
  // What has expired makes room too; of large objects the log itself would not notice.
  if (Status status = RaiseToJudged(); !status.ok()) return status;
  if (floor_ms_ > buried_ms_) {
    if (!power_) {
      if (Status status = SyncLocked(); !status.ok()) return status;
    }
    if (Status status = BuryExpired(&done); !status.ok()) return status;
  }
  int patience = kReaderPatience;
  do {
    if (Status status = FreeDying(Urgency::kUrgent, &done); !status.ok()) return status;
  } while (!dying_.empty() && AwaitReaders(lock, patience));
  return OkStatus();
}

Status Dpm::status() const { return segments_->refused(); }

Status Dpm::Fail(Status status) {
  segments_->Refuse(status);
  return status;
}

// ---- Readers ----

namespace {

void RaiseTo(std::atomic<std::uint64_t>& number, std::uint64_t least) {
  std::uint64_t now = number.load(std::memory_order_relaxed);
  while (now < least && !number.compare_exchange_weak(now, least)) {
  }
}

}  // namespace

bool Dpm::Visible(const Index::Found& found, std::uint16_t slot, std::uint64_t now_ms) const {
  if (found.entry.kind() != EntryKind::kObject) return false;
  std::optional<std::uint64_t> expiry = found.entry.expiry_ms();
  if (found.row_entry) {
    const auto of_row = found.row_entry.expiry_ms();
    if (of_row && (!expiry || *of_row < *expiry)) expiry = of_row;
  }
  return !expiry || !Expired(*expiry, slot, now_ms);
}

bool Dpm::Expired(std::uint64_t expiry_ms, std::uint16_t slot, std::uint64_t now_ms) const {
  if (!Sabotaged(Sabotage::kIgnoreClockFloor)) {
    now_ms = std::max({now_ms, clock_floors_ms_[slot].load(std::memory_order_acquire),
                       judged_ms_.load(std::memory_order_acquire)});
  }
  if (expiry_ms > now_ms) return false;
  // Answered absent once: from now on by no earlier time, whatever the caller's clock does.
  RaiseTo(judged_ms_, now_ms);
  if (!IsJudgementKept(expiry_ms, slot)) RaiseTo(asked_ms_, expiry_ms);
  return true;
}

bool Dpm::IsJudgementKept(std::uint64_t expiry_ms, std::uint16_t slot) const {
  return expiry_ms <= std::max(kept_judged_ms_.load(std::memory_order_acquire),
                               clock_floors_ms_[slot].load(std::memory_order_acquire));
}

Status Dpm::KeepJudgements() {
  const std::lock_guard lock(judged_mutex_);
  const std::uint64_t asked = judgements_asked();
  if (AreJudgementsKept(asked)) return OkStatus();
  if (Status failed = status(); !failed.ok()) return failed;
  const std::uint64_t judged = std::max(judged_ms_.load(std::memory_order_acquire), asked);
  const Status kept = control_->UpdateSuperblock(
      [judged](Superblock& superblock) { superblock.judged_ms = judged; });
  if (!kept.ok()) return Fail(kept);
  kept_judged_ms_.store(judged, std::memory_order_release);
  return OkStatus();
}

std::optional<Index::Found> Dpm::Find(const KeyView& key, std::uint16_t slot,
                                      std::uint64_t now_ms) const {
  std::optional<Index::Found> found = index_->Find(key, slot);
  if (found && !Visible(*found, slot, now_ms)) found.reset();
  return found;
}

Status Dpm::RaiseClockFloor(std::uint64_t now_ms) {
  const std::lock_guard lock(work_mutex_);  // The cleaner judges by the roots.
  return RaiseClockFloorLocked(now_ms);
}

Status Dpm::RaiseClockFloorLocked(std::uint64_t now_ms) {
  std::vector<SlotRoot> roots(kSlotCount);
  for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
    roots[slot] = control_->slot_root(slot);
    roots[slot].clock_floor_ms = std::max(roots[slot].clock_floor_ms, now_ms);
  }
  const std::vector<SlotRoot> raised = roots;
  if (Status status = control_->WriteSlotRoots(0, std::move(roots)); !status.ok()) return status;
  for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
    clock_floors_ms_[slot].store(raised[slot].clock_floor_ms, std::memory_order_release);
  }
  floor_ms_ = std::max(floor_ms_, now_ms);
  return OkStatus();
}

void Dpm::ObserveTime(std::uint64_t now_ms) {
  const std::lock_guard lock(work_mutex_);
  if (!merger_->saw_expiry() && floor_ms_ == 0) return;
  if (now_ms < floor_ms_ + kFloorEveryMs) return;
  RaiseTo(judged_ms_, now_ms);
}

// ---- The processor ----

Result<Dpm::WorkDone> Dpm::Work(Urgency urgency) {
  const std::lock_guard lock(work_mutex_);
  return WorkLocked(urgency);
}

Result<Dpm::WorkDone> Dpm::WorkLocked(Urgency urgency) {
  if (Status failed = status(); !failed.ok()) return failed;
  WorkDone done;
  // A full index stops the merging, and what makes room in it must go on.
  const Status merged = MergeSome(kMergeAtOnce, &done);
  Status status = merged.code() == StatusCode::kResourceExhausted ? OkStatus() : merged;
  if (status.ok()) status = CleanSome(urgency, &done);
  if (status.ok()) status = FreeDying(urgency, &done);
  if (status.ok()) status = SweepIfWorth(urgency, &done);
  // A first write makes a sync slow; at kProcess nobody waits for one.
  if (status.ok() && power_) status = segments_->ZeroAhead(kSegmentsZeroedAhead);
  // Out of room is a state, not a failure: dropping objects ends it.
  if (!status.ok() && status.code() != StatusCode::kResourceExhausted) return Fail(status);
  index_->Reclaim();
  if (!status.ok()) return status;
  if (!merged.ok() && !done.any()) return merged;
  return done;
}

Status Dpm::MergeSome(std::uint64_t max_entries, WorkDone* done) {
  const Result<std::uint64_t> merged = merger_->Step(max_entries);
  if (!merged.ok()) return merged.status();
  if (done != nullptr) done->merged_entries += *merged;
  CollectReleased();
  return OkStatus();
}

void Dpm::CollectReleased() {
  for (const DyingExtent& extent : released_) {
    KeyView key(Bucket(extent.bucket), std::string_view(extent.row));
    key.has_column = extent.has_column;
    key.column = extent.column;
    const auto found = index_->Find(key, extent.slot);
    if (found && found->entry.extent() == extent.number) continue;  // The cleaner's copy names it.
    gathering_.extents.push_back(extent.number);
    gathering_.sync = syncs_begun_.load() + 1;
  }
  released_.clear();
}

Result<std::optional<std::uint64_t>> Dpm::CleanOne(Urgency urgency, WorkDone* done) {
  auto cleaned = cleaner_->CleanOne();
  const bool may_bury = floor_ms_ > buried_ms_;
  const bool urgent = urgency == Urgency::kUrgent;
  bool again = false;
  if (cleaned.ok() && !*cleaned && urgent) {
    // All that is dead may be copies of what lived a while ago, in a segment that is still open.
    CIREIN_ASSIGN_OR_RETURN(again, cleaner_->SealWhatDied());
    if (again) CIREIN_RETURN_IF_ERROR(MergeSome(UINT64_MAX, done));
  }
  if (cleaned.ok() && !*cleaned && !power_ && (may_bury || urgent)) {
    // What is not synced yet can be neither copied nor buried, lest the copy outlive it.
    if (Status status = SyncLocked(); !status.ok()) return status;
    again = true;
  }
  if (again) cleaned = cleaner_->CleanOne();
  if (!cleaned.ok() || *cleaned || !may_bury) return cleaned;
  // Nothing is dead enough: what has expired becomes so.
  if (Status status = BuryExpired(done); !status.ok()) return status;
  return cleaner_->CleanOne();
}

Status Dpm::BuryExpired(WorkDone* done) {
  buried_ms_ = floor_ms_;
  const Result<std::uint64_t> buried = cleaner_->BuryExpired(UINT64_MAX);
  if (!buried.ok()) return buried.status();
  done->buried += *buried;
  return MergeSome(UINT64_MAX, done);
}

Status Dpm::CleanSome(Urgency urgency, WorkDone* done) {
  const std::uint64_t wanted =
      std::max(kFreeAtLeast, std::min(segments_->count() / kFreePart, std::uint64_t{64}));
  const std::uint64_t waiting = gathering_.segments.size();
  if (segments_->free_segments() + waiting < wanted || urgency == Urgency::kUrgent) {
    const auto cleaned = CleanOne(urgency, done);
    if (!cleaned.ok()) {
      if (cleaned.status().code() != StatusCode::kResourceExhausted) return cleaned.status();
    } else if (*cleaned) {
      done->copied_bytes += **cleaned;
      ++done->cleaned_segments;
      if (Status status = MergeSome(UINT64_MAX, done); !status.ok()) return status;
    }
  }
  for (const std::uint64_t segment : cleaner_->TakeEmptied()) {
    gathering_.segments.push_back(segment);
    gathering_.sync = syncs_begun_.load() + 1;
  }
  return OkStatus();
}

Status Dpm::FreeDying(Urgency urgency, WorkDone* done) {
  if (gathering_.segments.size() + gathering_.extents.size() != 0) {
    // What replaced them must be on the medium before their room is used again: with kPower it is,
    // else one sync serves many.
    const bool unsafe = !power_ && !Sabotaged(Sabotage::kFreeBeforeSync);
    const bool many = gathering_.segments.size() >= kFreeAtLeast;
    if (unsafe && (urgency == Urgency::kUrgent || many)) {
      if (Status status = SyncLocked(); !status.ok()) return status;
    }
    if (!unsafe || syncs_done_.load() >= gathering_.sync) {
      if (Status status = index_->PersistLinks(); !status.ok()) return status;
      for (const std::uint64_t segment : gathering_.segments) segments_->StopFollowing(segment);
      gathering_.stamp = epochs_->Retire();
      dying_.push_back(std::exchange(gathering_, Dying()));
    }
  }
  for (Dying& dying : dying_) {
    if (!epochs_->Passed(dying.stamp)) continue;
    // Taken from the list first: what fails halfway must not be freed a second time, when it may
    // have got a new owner.
    while (!dying.segments.empty()) {
      const std::uint64_t segment = dying.segments.back();
      dying.segments.pop_back();
      index_->SetLiveBytes(segment, 0);
      if (Status status = segments_->Free(segment); !status.ok()) return status;
      cleaner_->Freed(segment);
      ++done->freed_segments;
    }
    while (!dying.extents.empty()) {
      const std::uint64_t extent = dying.extents.back();
      dying.extents.pop_back();
      if (Status status = extents_->Remove(extent); !status.ok()) return status;
      ++done->freed_extents;
    }
  }
  std::erase_if(dying_,
                [](const Dying& dying) { return dying.segments.empty() && dying.extents.empty(); });
  return OkStatus();
}

Status Dpm::SweepIfWorth(Urgency urgency, WorkDone* done) {
  const std::uint64_t gone_bytes = (merger_->gone_merged() - gone_swept_) * kGoneBytes;
  const std::uint64_t log_bytes = segments_->count() * segments_->segment_bytes();
  const bool worth = gone_bytes > log_bytes / kGonePart;
  // As a last resort for fewer; and once after an open, when nobody counted them.
  const bool last_resort = urgency == Urgency::kUrgent && !done->any() &&
                           (!swept_ || gone_bytes > log_bytes / kGonePartLast);
  if (!worth && !last_resort) return OkStatus();
  swept_ = true;
  gone_swept_ = merger_->gone_merged();
  const Result<TombstoneSweep> sweep = SweepTombstones(*segments_, *index_, kSweepAtOnce);
  if (!sweep.ok()) return sweep.status();
  done->forgotten += sweep->forgotten;
  return index_->PersistLinks();
}

Status Dpm::MergeAll() {
  const std::lock_guard lock(work_mutex_);
  for (;;) {
    WorkDone done;
    if (Status status = MergeSome(kMergeAtOnce, &done); !status.ok()) {
      return status.code() == StatusCode::kResourceExhausted ? status : Fail(status);
    }
    if (done.merged_entries == 0) return OkStatus();
  }
}

std::vector<Dpm::SyncRange> Dpm::SyncRanges() const {
  std::vector<SyncRange> ranges;
  for (std::uint64_t segment = 0; segment < segments_->count(); ++segment) {
    const SegmentState state = segments_->state(segment);
    if (state == SegmentState::kFree) continue;
    // With kPower all is there already, the end of a sealed segment is recorded, and the next batch
    // of a busy log carries the mark: what is left is the mark of an idle one.
    if (power_ && state != SegmentState::kOpen) continue;
    const std::uint64_t to = segments_->committed(segment);
    const std::uint64_t from = segments_->synced(segment);
    if (from < to || segments_->marked(segment) < to) {
      ranges.push_back({segment, segments_->generation(segment), from, to});
    }
  }
  return ranges;
}

Status Dpm::PersistRanges(const std::vector<SyncRange>& ranges) {
  if (power_ || ranges.empty()) return OkStatus();
  if (!space_->traits().flushable) return log_->Persist(0, log_->size(), PersistSite::kSync);
  for (const SyncRange& range : ranges) {
    if (range.from >= range.to) continue;
    const std::uint64_t begin = segments_->begin_of(range.segment);
    Status status = log_->Persist(begin + range.from, range.to - range.from, PersistSite::kSync);
    if (!status.ok()) return status;
  }
  return OkStatus();
}

Status Dpm::MarkRanges(const std::vector<SyncRange>& ranges) {
  const bool flushable = space_->traits().flushable;
  for (const SyncRange& range : ranges) {
    if (segments_->generation(range.segment) != range.generation) continue;
    segments_->SetSynced(range.segment, range.to);
    const std::uint64_t word = EncodeMark(segments_->seed(range.segment), range.to);
    const std::uint64_t at = segments_->begin_of(range.segment) + kMarkOffset;
    Status status = log_->Write(at, std::as_bytes(std::span(&word, 1)));
    if (status.ok() && flushable) status = log_->Persist(at, sizeof word, PersistSite::kMark);
    if (!status.ok()) return status;
    segments_->SetMarked(range.segment, range.to);
  }
  // On files one sync for all of them: a mark that waited for the next commit would not say that
  // what an idle log holds is safe.
  if (flushable || ranges.empty()) return OkStatus();
  return log_->Persist(0, log_->size(), PersistSite::kMark);
}

Status Dpm::RaiseToJudged() {
  const std::uint64_t judged = judged_ms_.load(std::memory_order_acquire);
  return judged > floor_ms_ ? RaiseClockFloorLocked(judged) : OkStatus();
}

Status Dpm::SyncLocked() {
  const std::uint64_t number = ++syncs_begun_;
  const std::vector<SyncRange> ranges = SyncRanges();
  Status status = PersistRanges(ranges);
  if (status.ok()) status = MarkRanges(ranges);
  if (status.ok()) syncs_done_.store(number);
  return status.ok() ? status : Fail(status);
}

Status Dpm::Sync() {
  std::unique_lock lock(work_mutex_);
  if (Status failed = status(); !failed.ok()) return failed;
  const std::uint64_t number = ++syncs_begun_;
  const std::vector<SyncRange> ranges = SyncRanges();
  // The medium may take its time: let others merge meanwhile.
  lock.unlock();
  Status status = PersistRanges(ranges);
  lock.lock();
  if (status.ok()) status = MarkRanges(ranges);
  if (status.ok()) status = RaiseToJudged();
  if (!status.ok()) return Fail(status);
  syncs_done_.store(std::max(syncs_done_.load(), number));
  return status;
}

Status Dpm::Close() {
  const std::lock_guard lock(work_mutex_);
  if (Status failed = status(); !failed.ok()) return failed;
  if (Status status = cleaner_log_->Seal(); !status.ok()) return Fail(status);
  if (Status status = MergeSome(UINT64_MAX, nullptr); !status.ok()) return status;
  for (std::uint64_t segment = 0; segment < segments_->count(); ++segment) {
    if (segments_->state(segment) == SegmentState::kOpen) {
      return FailedPrecondition(fmt::format("segment {} still has a writer", segment),
                                "seal all writers before closing the pool");
    }
  }
  Status status = SyncLocked();
  // What is dead goes now: after a clean close nobody looks for it.
  WorkDone done;
  if (status.ok()) status = FreeDying(Urgency::kUrgent, &done);
  if (status.ok() && !dying_.empty()) {
    return FailedPrecondition("somebody still reads the pool", "let all readers leave first");
  }
  if (status.ok()) status = RaiseToJudged();
  // So that the next open knows that there is what expires.
  if (status.ok() && merger_->saw_expiry() && floor_ms_ == 0) status = RaiseClockFloorLocked(1);
  if (status.ok()) status = index_->PersistAll();
  if (!status.ok()) return Fail(status);
  // Nobody keeps a judgement in a pool that is somebody else's by then.
  const std::lock_guard judging(judged_mutex_);
  status = control_->UpdateSuperblock([](Superblock& superblock) {
    superblock.state = static_cast<std::uint32_t>(PoolState::kClean);
  });
  if (!status.ok()) return Fail(status);
  // Nothing more is taken: the clean mark must stay true.
  segments_->Refuse(FailedPrecondition("the pool is closed"));
  space_->Unlock();
  return OkStatus();
}

Dpm::Stats Dpm::GetStats() const {
  const std::lock_guard lock(work_mutex_);
  Stats stats;
  stats.segments = segments_->count();
  stats.free_segments = segments_->free_segments();
  for (std::uint64_t segment = 0; segment < stats.segments; ++segment) {
    if (segments_->state(segment) == SegmentState::kFree) continue;
    stats.live_bytes += index_->live_bytes(segment);
    stats.written_bytes += segments_->committed(segment) - kFirstBatch;
  }
  stats.copied_bytes = cleaner_->copied_bytes();
  stats.extents = extents_->count();
  stats.extent_bytes = extents_->used_bytes();
  stats.pinned_bytes = extents_->pinned_bytes();
  stats.index = index_->GetStats();
  return stats;
}

}  // namespace cirein::dpm
