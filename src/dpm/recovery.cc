// SPDX-License-Identifier: Apache-2.0
#include "dpm/recovery.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/sabotage.h"
#include "dpm/log_scanner.h"

namespace cirein::dpm {

namespace {

constexpr std::uint64_t kMergeAtOnce = 8192;
/// The heap of an index has at least the bytes of so many segments: what is kept free of it, twice.
constexpr std::uint64_t kLeastIndexSegments = 2;

Status CheckSizes(const CreateOptions& options) {
  if (options.segment_bytes % kPage != 0 || options.segment_bytes < kMinSegmentBytes ||
      options.segment_bytes > kMaxSegmentBytes) {
    return InvalidArgument(fmt::format("segments of {} bytes cannot be had", options.segment_bytes),
                           fmt::format("choose a multiple of {} from {} to {}", kPage,
                                       kMinSegmentBytes, kMaxSegmentBytes));
  }
  const std::uint64_t segments = options.log_bytes / options.segment_bytes;
  if (segments < kMinSegments || segments > kMaxSegments || options.log_bytes > kMaxLogBytes) {
    return InvalidArgument(
        fmt::format("a pool of {} bytes would have {} segments of {}", options.log_bytes, segments,
                    options.segment_bytes),
        fmt::format("choose sizes that make {} to {} segments", kMinSegments, kMaxSegments));
  }
  if (options.index_bytes > kMaxIndexBytes) {
    return InvalidArgument("the index is too large");
  }
  if (options.large_bytes > options.segment_bytes / 2) {
    return InvalidArgument(
        "objects of more than half a segment need an extent of their own",
        fmt::format("choose a large-object size of at most {}", options.segment_bytes / 2));
  }
  return OkStatus();
}

Superblock MakeSuperblock(const CreateOptions& options, const std::string& boot_id) {
  Superblock superblock{};
  superblock.magic = kSuperblockMagic;
  superblock.format_major = kFormatMajor;
  superblock.format_minor = kFormatMinor;
  superblock.durability = static_cast<std::uint32_t>(options.durability);
  superblock.pool_id = options.pool_id;
  superblock.segment_bytes = options.segment_bytes;
  superblock.segments = options.log_bytes / options.segment_bytes;
  const IndexLayout index{superblock.segments};
  superblock.index_bytes = AlignUp(
      std::max(options.index_bytes, index.heap() + kLeastIndexSegments * options.segment_bytes),
      kPage);
  if (options.index_bytes == 0) {
    superblock.index_bytes = AlignUp(
        index.heap() + options.log_bytes / 4 + kLeastIndexSegments * options.segment_bytes, kPage);
  }
  superblock.extent_limit_bytes =
      options.extent_limit_bytes != 0 ? options.extent_limit_bytes : options.log_bytes;
  superblock.large_bytes =
      options.large_bytes != 0 ? options.large_bytes : DefaultLargeBytes(options.segment_bytes);
  superblock.slots = kSlotCount;
  superblock.state = static_cast<std::uint32_t>(PoolState::kClean);
  superblock.next_incarnation = 1;
  superblock.created_ms = options.created_ms;
  std::memcpy(superblock.boot_id, boot_id.data(),
              std::min(boot_id.size(), sizeof superblock.boot_id - 1));
  return superblock;
}

/// What a creation that was cut short left; a region that holds a pool is refused.
Status RemoveUnfinished(RegionSpace& space) {
  const auto entries = space.List();
  if (!entries.ok()) return entries.status();
  for (const RegionSpace::Entry& entry : *entries) {
    if (entry.name != kControlName) continue;
    const auto control =
        space.Open(kControlName, RegionUse::kRecords, RegionSpace::Access::kReadOnly);
    if (!control.ok()) return control.status();
    // All zeros: a pool that was never finished. Anything else may be worth something to somebody.
    const std::byte* const bytes = (*control)->data();
    const bool zeros =
        std::all_of(bytes, bytes + std::min<std::uint64_t>((*control)->size(), 2 * kPage),
                    [](std::byte byte) { return byte == std::byte{0}; });
    if (!zeros) {
      return AlreadyExists(fmt::format("'{}' holds a pool already", space.path()),
                           "choose another directory, or remove that pool's files");
    }
  }
  for (const RegionSpace::Entry& entry : *entries) {
    if (!entry.name.starts_with(kExtentPrefix)) continue;
    return AlreadyExists(
        fmt::format("'{}' has a file '{}', which another pool may need", space.path(), entry.name),
        "choose an empty directory");
  }
  for (const char* name : {kControlName, kLogName, kIndexName}) {
    const bool there = std::ranges::any_of(
        *entries, [&](const RegionSpace::Entry& entry) { return entry.name == name; });
    if (!there) continue;
    if (name != std::string_view(kControlName) &&
        std::ranges::none_of(
            *entries, [](const RegionSpace::Entry& entry) { return entry.name == kControlName; })) {
      return AlreadyExists(
          fmt::format("'{}' has a file '{}' that no pool belongs to", space.path(), name),
          "choose an empty directory");
    }
    if (Status status = space.Remove(name); !status.ok()) return status;
  }
  return OkStatus();
}

Status CreateRegions(RegionSpace& space, const Superblock& superblock) {
  // The control region comes first, as zeros: with it there, whatever else is there is ours.
  const ControlLayout layout{superblock.segments};
  auto control = space.Create(kControlName, layout.bytes(), RegionUse::kRecords);
  if (!control.ok()) return control.status();
  if (Status status = space.PersistNames(PersistSite::kFormat); !status.ok()) return status;
  auto log =
      space.Create(kLogName, superblock.segments * superblock.segment_bytes, RegionUse::kLog);
  if (!log.ok()) return log.status();
  auto index = space.Create(kIndexName, superblock.index_bytes, RegionUse::kWords);
  if (!index.ok()) return index.status();
  const Index::Options options{.log = (*log)->data(),
                               .segment_bytes = superblock.segment_bytes,
                               .pool_id = superblock.pool_id,
                               .segments = superblock.segments,
                               .epochs = nullptr,
                               .persist = false};
  {
    auto formatted = Index::Format(std::move(*index), options);
    if (!formatted.ok()) return formatted.status();
    if (Status status = (*formatted)->PersistAll(); !status.ok()) return status;
  }
  if (Status status = space.PersistNames(PersistSite::kFormat); !status.ok()) return status;
  auto formatted = Control::Format(std::move(*control), superblock);
  if (!formatted.ok()) return formatted.status();
  return (*formatted)->UpdateSuperblock([](Superblock&) {});
}

}  // namespace

Status CreatePool(RegionSpace& space, const CreateOptions& options) {
  CreateOptions sizes = options;
  sizes.log_bytes =
      sizes.segment_bytes == 0 ? 0 : sizes.log_bytes / sizes.segment_bytes * sizes.segment_bytes;
  if (Status status = CheckSizes(sizes); !status.ok()) return status;
  if (options.pool_id == 0) return InvalidArgument("a pool needs an id");
  if (Status status = space.Lock(); !status.ok()) return status;
  if (Status status = RemoveUnfinished(space); !status.ok()) return status;
  Status status = CreateRegions(space, MakeSuperblock(sizes, space.boot_id()));
  if (status.ok()) return status;
  for (const char* name : {kLogName, kIndexName, kControlName}) {
    static_cast<void>(space.Remove(name).ok());  // The first error is the one to tell.
  }
  return status.WithContext(fmt::format("cannot create a pool in '{}'", space.path()));
}

Recovery::Recovery(std::unique_ptr<RegionSpace> space, const OpenOptions& options,
                   Findings* findings)
    : options_(options), findings_(findings), dpm_(new Dpm()) {
  dpm_->space_ = std::move(space);
}

Result<std::unique_ptr<Dpm>> Recovery::Run() {
  using Step = Status (Recovery::*)();
  for (const Step step : {&Recovery::OpenRegions, &Recovery::OpenIndex, &Recovery::FindEnds,
                          &Recovery::TakeOver, &Recovery::MakeIndex, &Recovery::RecordEnds,
                          &Recovery::SaveDamaged, &Recovery::Merge, &Recovery::RemoveOrphans}) {
    if (Status status = (this->*step)(); !status.ok()) {
      return status.WithContext(fmt::format("cannot open the pool in '{}'", dpm_->space_->path()));
    }
  }
  return std::move(dpm_);
}

Status Recovery::OpenRegions() {
  RegionSpace& space = *dpm_->space_;
  if (Status status = space.Lock(); !status.ok()) return status;
  constexpr auto kWrite = RegionSpace::Access::kReadWrite;
  auto control = space.Open(kControlName, RegionUse::kRecords, kWrite);
  if (!control.ok()) {
    if (control.status().code() != StatusCode::kNotFound) return control.status();
    return NotFound("there is no pool", "make one with `cirein pool create`");
  }
  auto log = space.Open(kLogName, RegionUse::kLog, kWrite);
  if (!log.ok()) {
    if (log.status().code() != StatusCode::kNotFound) return log.status();
    return DataLoss("the pool's file 'log' is missing");
  }
  dpm_->log_ = std::move(*log);
  // What the process before wrote and did not persist is in the cache: before anything is built on
  // it, or written over its twin, it has to be on the medium. (SyncLog and OpenIndex do the same.)
  Status found = (*control)->Persist(0, (*control)->size(), PersistSite::kFound);
  if (!found.ok()) return found;
  const bool repair = options_.repair == OpenOptions::Repair::kYes;
  auto opened =
      Control::Open(std::move(*control), *dpm_->log_, Control::Mend::kYes,
                    repair ? Control::Damage::kReport : Control::Damage::kFail, findings_);
  if (!opened.ok()) return opened.status();
  dpm_->control_ = std::move(*opened);
  const Superblock& superblock = dpm_->control_->superblock();
  left_ = HowLeft(superblock, space.boot_id());
  return OkStatus();
}

Index::Options Recovery::IndexOptions() const {
  const Superblock& superblock = dpm_->control_->superblock();
  return {.log = dpm_->log_->data(),
          .segment_bytes = superblock.segment_bytes,
          .pool_id = superblock.pool_id,
          .segments = superblock.segments,
          .epochs = dpm_->epochs_.get(),
          .persist = dpm_->space_->traits().flushable && left_.power};
}

Status Recovery::OpenIndex() {
  RegionSpace& space = *dpm_->space_;
  const bool repair = options_.repair == OpenOptions::Repair::kYes;
  rebuild_ = (left_.power_cut && !(space.traits().flushable && left_.power)) || repair;
  if (Sabotaged(Sabotage::kTrustUnsyncedIndex)) rebuild_ = false;
  dpm_->epochs_ = std::make_unique<ReadEpochs>();
  if (rebuild_) return OkStatus();
  rebuild_ = true;
  auto region = space.Open(kIndexName, RegionUse::kWords, RegionSpace::Access::kReadWrite);
  if (!region.ok()) {
    return region.status().code() == StatusCode::kNotFound ? OkStatus() : region.status();
  }
  auto opened = Index::Open(std::move(*region), IndexOptions());
  if (opened.ok()) {
    rebuild_ = false;
    dpm_->index_ = std::move(*opened);
    // Merging again would find the cells right and persist only the mark.
    const bool stepwise = space.traits().flushable && left_.power;
    return stepwise && !left_.clean ? dpm_->index_->PersistAll() : OkStatus();
  }
  if (opened.status().code() != StatusCode::kDataLoss) return opened.status();
  findings_->push_back(
      {Finding::Severity::kNote,
       fmt::format("the index is made anew from the log: {}", opened.status().message()),
       {},
       {}});
  return OkStatus();
}

Status Recovery::MakeIndex() {
  if (!rebuild_) return OkStatus();
  RegionSpace& space = *dpm_->space_;
  const std::uint64_t bytes = dpm_->control_->superblock().index_bytes;
  auto region = space.Open(kIndexName, RegionUse::kWords, RegionSpace::Access::kReadWrite);
  if (!region.ok() && region.status().code() != StatusCode::kNotFound) return region.status();
  if (region.ok() && (*region)->size() != bytes) {
    if (Status status = space.Remove(kIndexName); !status.ok()) return status;
    region = NotFound("of another size");
  }
  if (!region.ok()) {
    region = space.Create(kIndexName, bytes, RegionUse::kWords);
    if (!region.ok()) return region.status();
    if (Status status = space.PersistNames(PersistSite::kFormat); !status.ok()) return status;
  }
  auto formatted = Index::Format(std::move(*region), IndexOptions());
  if (!formatted.ok()) return formatted.status();
  dpm_->index_ = std::move(*formatted);
  return OkStatus();
}

void Recovery::Note(std::uint64_t segment, std::uint64_t offset, std::string what) {
  findings_->push_back({Finding::Severity::kNote,
                        fmt::format("segment {}, offset {}: {}", segment, offset, what), segment,
                        offset});
}

Status Recovery::FindEnds() {
  // What is to be merged is looked at first: the merger believes what it is given.
  const auto how_to_see = [this](std::uint64_t segment) {
    if (rebuild_) return SealedLogs::kScan;
    const SegmentRecord record = dpm_->control_->record(segment);
    const std::uint64_t merged = dpm_->index_->merged(segment, record.generation);
    return merged < record.end ? SealedLogs::kScan : SealedLogs::kTrust;
  };
  const LogEnds found = FindLogEnds(*dpm_->control_, *dpm_->log_, left_, how_to_see);
  findings_->insert(findings_->end(), found.findings.begin(), found.findings.end());
  const bool repair = options_.repair == OpenOptions::Repair::kYes;
  for (const Finding& finding : found.findings) {
    if (repair || finding.severity != Finding::Severity::kCorruption) continue;
    return DataLoss(finding.what,
                    "restore the pool from a copy, or save what is valid with "
                    "`cirein pool verify --repair`");
  }
  for (const LogEnd& end : found.ends) {
    if (end.state != LogEnd::State::kRecorded) ends_.push_back(end);
  }
  return OkStatus();
}

Status Recovery::TakeOver() {
  Control& control = *dpm_->control_;
  if (control.superblock().highest_epoch >= kMaxEpoch) {
    return ResourceExhausted("the pool was opened too often: its epochs are used up",
                             "copy its objects to a new pool");
  }
  Status status = control.UpdateSuperblock([this](Superblock& superblock) {
    superblock.state = static_cast<std::uint32_t>(PoolState::kOpen);
    dpm_->incarnation_ = superblock.next_incarnation++;
    if (!Sabotaged(Sabotage::kReuseEpoch) || superblock.highest_epoch == 0) {
      ++superblock.highest_epoch;
    }
    dpm_->epoch_ = static_cast<std::uint32_t>(superblock.highest_epoch);
    // A rebuilt index is only as good as this boot: until the rebuild is done the old boot's name
    // stays, so that a crash during it leads to another one.
    if (!rebuild_) SetBootId(superblock);
  });
  if (!status.ok()) return status;
  std::vector<SlotRoot> roots(kSlotCount);
  for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
    roots[slot] = control.slot_root(slot);
    roots[slot].epoch = dpm_->epoch_;
    roots[slot].incarnation = dpm_->incarnation_;
  }
  return control.WriteSlotRoots(0, std::move(roots));
}

Status Recovery::SyncLog() {
  const Control& control = *dpm_->control_;
  if (!dpm_->space_->traits().flushable) {
    return dpm_->log_->Persist(0, dpm_->log_->size(), PersistSite::kFound);
  }
  for (std::uint64_t segment = 0; segment < control.segments(); ++segment) {
    const SegmentRecord record = control.record(segment);
    if (record.state == static_cast<std::uint32_t>(SegmentState::kFree)) continue;
    const bool sealed = record.state == static_cast<std::uint32_t>(SegmentState::kSealed);
    if (sealed && left_.power) continue;  // All of it was answered, so it is there.
    const std::uint64_t bytes = control.segment_bytes();
    Status status = dpm_->log_->Persist(segment * bytes, bytes, PersistSite::kFound);
    if (!status.ok()) return status;
  }
  return OkStatus();
}

Status Recovery::RecordEnds() {
  dpm_->segments_ = std::make_unique<SegmentSpace>(*dpm_->control_, *dpm_->log_,
                                                   !dpm_->space_->traits().flushable);
  SegmentSpace& segments = *dpm_->segments_;
  if (!left_.clean && !left_.power_cut) {
    // What the dead process wrote is in the page cache, and from here on it counts as safe: with
    // kPower too, for it may have died between writing its last batch and persisting it.
    if (Status status = SyncLog(); !status.ok()) return status;
  }
  // The last segment of each log first: a crash in between must not leave one that was cut short,
  // and looks recorded, before others that were to be void for it.
  for (auto at = ends_.rbegin(); at != ends_.rend(); ++at) {
    const LogEnd& end = *at;
    if (end.state == LogEnd::State::kDamaged) continue;
    if (Sabotaged(Sabotage::kEndsNotRecorded)) {
      segments.SetCommitted(end.segment, end.end);
      continue;
    }
    if (Status status = segments.Cut(end.segment, end.end); !status.ok()) return status;
  }
  dpm_->MakeProcessor();
  return OkStatus();
}

Status Recovery::SaveDamaged() {
  if (options_.repair != OpenOptions::Repair::kYes) return OkStatus();
  SegmentSpace& segments = *dpm_->segments_;
  LogWriter& writer = *dpm_->cleaner_log_;
  Status status;
  std::vector<std::uint64_t> damaged;
  for (const LogEnd& end : ends_) {
    if (end.state != LogEnd::State::kDamaged) continue;
    damaged.push_back(end.segment);
    std::uint64_t entries = 0;
    const auto save = [&](const BatchView& batch, std::uint64_t) {
      std::vector<EntryFields> fields;
      batch.ForEach(
          [&](const EntryView& entry, std::uint64_t) { fields.push_back(FieldsOfCopy(entry)); });
      std::vector<Location> locations(fields.size());
      if (status.ok()) status = writer.Write(fields, locations);
      entries += fields.size();
    };
    const SegmentRecord record = segments.control().record(end.segment);
    const bool sealed = record.state == static_cast<std::uint32_t>(SegmentState::kSealed);
    SalvageSegment(*dpm_->control_, *dpm_->log_, end.segment,
                   sealed ? record.end : segments.segment_bytes(), save);
    Note(end.segment, kFirstBatch, fmt::format("{} valid entries of it were saved", entries));
  }
  if (status.ok()) status = writer.Seal();
  if (status.ok()) status = dpm_->Sync();
  // Only now: until its valid entries are safe elsewhere a damaged segment is what they are.
  for (const std::uint64_t segment : damaged) {
    if (status.ok()) status = segments.Cut(segment, kFirstBatch);
  }
  // Records of which both copies were lost are known in memory only.
  Control& control = *dpm_->control_;
  for (std::uint64_t segment = 0; segment < control.segments() && status.ok(); ++segment) {
    status = control.WriteRecord(segment, control.record(segment));
  }
  return status.WithContext("cannot save what is valid");
}

Status Recovery::MergeOnce() {
  for (std::uint64_t segment = 0; segment < dpm_->segments_->count(); ++segment) {
    if (dpm_->segments_->state(segment) == SegmentState::kFree) continue;
    if (dpm_->merger_->merged(segment) <= dpm_->segments_->committed(segment)) continue;
    return DataLoss(fmt::format("segment {}: the index claims more of it than there is", segment));
  }
  // Not by MergeAll: a failure here must not count as the pool's.
  const std::lock_guard lock(dpm_->work_mutex_);
  for (;;) {
    Dpm::WorkDone done;
    if (Status status = dpm_->MergeSome(kMergeAtOnce, &done); !status.ok()) return status;
    if (done.merged_entries == 0) return OkStatus();
  }
}

Status Recovery::StartIndexAnew(std::string_view why) {
  findings_->push_back({Finding::Severity::kNote,
                        fmt::format("the index is made anew from the log: {}", why),
                        {},
                        {}});
  if (!rebuild_) {
    rebuild_ = true;
    const LogEnds found = FindLogEnds(*dpm_->control_, *dpm_->log_, left_, SealedLogs::kScan);
    for (const Finding& finding : found.findings) {
      if (finding.severity == Finding::Severity::kCorruption) return DataLoss(finding.what);
    }
  }
  dpm_->cleaner_.reset();
  dpm_->merger_.reset();
  dpm_->cleaner_log_.reset();
  dpm_->extents_.reset();
  dpm_->index_.reset();
  dpm_->released_.clear();
  dpm_->gathering_ = {};
  if (Status status = MakeIndex(); !status.ok()) return status;
  dpm_->segments_ = std::make_unique<SegmentSpace>(*dpm_->control_, *dpm_->log_,
                                                   !dpm_->space_->traits().flushable);
  dpm_->MakeProcessor();
  return OkStatus();
}

Status Recovery::Merge() {
  Status status = MergeOnce();
  if (status.code() == StatusCode::kDataLoss && !rebuild_) {
    if (Status anew = StartIndexAnew(status.message()); !anew.ok()) return anew;
    status = MergeOnce();
  }
  // A log that needs more index than it was given, gone keys above all, must not keep the pool
  // shut.
  while (status.code() == StatusCode::kResourceExhausted) {
    if (dpm_->control_->superblock().index_bytes > kMaxIndexBytes / 2) return status;
    Status written = dpm_->control_->UpdateSuperblock(
        [](Superblock& superblock) { superblock.index_bytes *= 2; });
    if (!written.ok()) return written;
    if (Status anew = StartIndexAnew("it was too small"); !anew.ok()) return anew;
    status = MergeOnce();
  }
  if (!status.ok()) return status;
  return rebuild_ ? FinishRebuild() : RecountLiveBytes();
}

void Recovery::SetBootId(Superblock& superblock) const {
  const std::string& boot_id = dpm_->space_->boot_id();
  std::memset(superblock.boot_id, 0, sizeof superblock.boot_id);
  std::memcpy(superblock.boot_id, boot_id.data(),
              std::min(boot_id.size(), sizeof superblock.boot_id - 1));
}

Status Recovery::FinishRebuild() {
  if (dpm_->space_->traits().flushable && left_.power) {
    if (Status status = dpm_->index_->PersistAll(); !status.ok()) return status;
  }
  return dpm_->control_->UpdateSuperblock(
      [this](Superblock& superblock) { SetBootId(superblock); });
}

Status Recovery::RecountLiveBytes() {
  // Counts are stored and not persisted: after a power cut they are of any time.
  if (!left_.power_cut) return OkStatus();
  const SegmentSpace& segments = *dpm_->segments_;
  std::vector<std::uint64_t> live(segments.count());
  for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
    dpm_->index_->WalkSlot(static_cast<std::uint16_t>(slot), [&](const Index::Found& found) {
      live[segments.segment_of(found.location.offset)] += found.entry.size();
      return true;
    });
  }
  for (std::uint64_t segment = 0; segment < segments.count(); ++segment) {
    dpm_->index_->SetLiveBytes(segment, live[segment]);
  }
  return OkStatus();
}

Status Recovery::RemoveOrphans() {
  const Result<std::vector<std::uint64_t>> numbers = dpm_->extents_->Numbers();
  if (!numbers.ok()) return numbers.status();
  std::set<std::uint64_t> named;
  for (std::uint32_t slot = 0; slot < kSlotCount && !numbers->empty(); ++slot) {
    dpm_->index_->WalkSlot(static_cast<std::uint16_t>(slot), [&](const Index::Found& found) {
      if (const auto extent = found.entry.extent()) named.insert(*extent);
      return true;
    });
  }
  using Orphans = ExtentStore::Orphans;
  const bool crashed = !left_.clean && options_.repair != OpenOptions::Repair::kYes;
  const Orphans orphans = crashed ? Orphans::kRemove : Orphans::kKeep;
  if (Status status = dpm_->extents_->Recover(named, orphans, findings_); !status.ok()) {
    return status;
  }
  dpm_->CollectReleased();
  // Removed just now, or never there.
  dpm_->gathering_.extents.clear();
  return OkStatus();
}

}  // namespace cirein::dpm
