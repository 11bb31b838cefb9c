// SPDX-License-Identifier: Apache-2.0
#include "dpm/verify.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>

#include "base/hash.h"
#include "dpm/extent_store.h"
#include "dpm/index.h"
#include "dpm/key_table.h"
#include "dpm/log_ends.h"
#include "dpm/log_scanner.h"

namespace cirein::dpm {

namespace {

/// More than these tell nobody anything new.
constexpr std::size_t kMaxFindings = 1000;
constexpr std::string_view kIndexIsMadeAnew =
    "an open makes it anew from the log, and loses nothing";
constexpr auto kReadOnly = RegionSpace::Access::kReadOnly;

/// The files of a pool that are always needed, locked.
struct PoolFiles {
  std::unique_ptr<Control> control;
  std::unique_ptr<Region> log;
};

Result<std::unique_ptr<Region>> OpenControl(RegionSpace& space) {
  auto control = space.Open(kControlName, RegionUse::kRecords, kReadOnly);
  if (control.ok() || control.status().code() != StatusCode::kNotFound) return control;
  return NotFound(fmt::format("there is no pool in '{}'", space.path()),
                  "make one with `cirein pool create`");
}

Result<PoolFiles> OpenFiles(RegionSpace& space, Findings* findings) {
  // A directory without a pool does not even get a lock.
  if (auto control = OpenControl(space); !control.ok()) return control.status();
  if (Status status = space.Lock(); !status.ok()) return status;
  auto control = OpenControl(space);
  if (!control.ok()) return control.status();
  // For its messages: of what is no pool, it does not matter which files are missing.
  if (auto superblock = Control::ReadSuperblock(**control); !superblock.ok()) {
    return superblock.status();
  }
  PoolFiles files;
  auto log = space.Open(kLogName, RegionUse::kLog, kReadOnly);
  if (!log.ok()) {
    if (log.status().code() != StatusCode::kNotFound) return log.status();
    return DataLoss("the pool's file 'log' is missing", "restore the pool from a copy");
  }
  files.log = std::move(*log);
  auto opened = Control::Open(std::move(*control), *files.log, Control::Mend::kNo,
                              Control::Damage::kReport, findings);
  if (!opened.ok()) return opened.status();
  files.control = std::move(*opened);
  return files;
}

SegmentState StateOf(const SegmentRecord& record) {
  return static_cast<SegmentState>(record.state);
}

/// The number in the name of an extent's file.
std::optional<std::uint64_t> ExtentNumber(const std::string& name) {
  const std::string_view prefix = kExtentPrefix;
  if (!name.starts_with(prefix)) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + prefix.size(), end, number, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end || ExtentStore::Name(number) != name) {
    return std::nullopt;
  }
  return number;
}

void CountSegments(const Control& control, PoolSummary* summary) {
  for (std::uint64_t segment = 0; segment < control.segments(); ++segment) {
    switch (StateOf(control.record(segment))) {
      case SegmentState::kFree:
        ++summary->free_segments;
        break;
      case SegmentState::kOpen:
        ++summary->open_segments;
        break;
      case SegmentState::kSealed:
        ++summary->sealed_segments;
        break;
    }
  }
}

/// What needs no look at entries.
Status Summarize(RegionSpace& space, const Control& control, PoolSummary* summary) {
  summary->superblock = control.superblock();
  const char* const boot_id = summary->superblock.boot_id;
  summary->same_boot =
      std::string_view(boot_id, strnlen(boot_id, sizeof summary->superblock.boot_id)) ==
      space.boot_id();
  CountSegments(control, summary);
  const auto entries = space.List();
  if (!entries.ok()) return entries.status();
  for (const RegionSpace::Entry& entry : *entries) {
    if (!ExtentNumber(entry.name)) continue;
    ++summary->extents;
    summary->extent_bytes += entry.bytes;
  }
  return OkStatus();
}

class PoolVerifier {
 public:
  PoolVerifier(RegionSpace& space, PoolFiles files, VerifyReport* report)
      : space_(space),
        control_(std::move(files.control)),
        log_(std::move(files.log)),
        left_(HowLeft(control_->superblock(), space.boot_id())),
        report_(*report),
        keys_(log_->data()) {}

  Status Run() {
    if (Status status = Summarize(space_, *control_, &report_.summary); !status.ok()) return status;
    CheckRecords();
    FindEnds();
    if (Status status = OpenIndex(); !status.ok()) return status;
    ReadLog();
    JudgeKeys();
    if (index_ != nullptr) CheckIndex();
    return CheckExtents();
  }

 private:
  std::uint64_t segment_bytes() const { return control_->segment_bytes(); }
  std::uint64_t segment_of(Location at) const { return at.offset / segment_bytes(); }
  std::uint64_t place_of(Location at) const { return at.offset % segment_bytes(); }

  void Note(std::string what) { Add(Finding::Severity::kNote, std::move(what), {}); }
  void Corrupt(std::string what) { Add(Finding::Severity::kCorruption, std::move(what), {}); }
  void CorruptAt(Location at, std::string_view what) {
    Add(Finding::Severity::kCorruption,
        fmt::format("segment {}, entry at {}: {}", segment_of(at), place_of(at), what), at);
  }
  void Add(Finding::Severity severity, std::string what, Location at);

  void CheckRecords();
  void CheckRecord(std::uint64_t segment);
  void FindEnds();
  std::string NoIndexBecause(const Region& index) const;
  Status OpenIndex();
  void CheckMergedMarks();
  bool IndexIsBelieved() const;
  void ReadLog();
  void ReadEntry(const EntryView& entry, Location location, Merged merged);
  template <typename Visit>
  void ForEachEntry(Visit&& visit) const;

  bool HiddenByRow(const EntryView& entry);
  bool Expired(const EntryView& entry);
  void JudgeKeys();

  void CheckIndex();
  void CheckFound(const Index::Found& found, std::uint16_t slot);
  void CheckMissing(const KeyTable::Record& record);
  void CheckMissingRows();
  void CheckLiveBytes();

  Status CheckExtents();
  void CheckExtent(std::uint64_t number, const EntryView& entry, Location at,
                   const ExtentStore& extents);

  RegionSpace& space_;
  const std::unique_ptr<Control> control_;
  const std::unique_ptr<Region> log_;
  const LeftAs left_;
  VerifyReport& report_;
  std::vector<std::uint64_t> ends_;  // By segment; 0 of free ones.
  std::vector<std::uint64_t> live_bytes_;
  std::unique_ptr<Index> index_;  // None when an open would not believe it.
  KeyTable keys_;
  std::map<std::uint64_t, Location> named_;  // The extents that live entries name.
  absl::flat_hash_map<std::uint64_t, Location>
      missing_rows_;  // By the hash of the row entry's name.
};

void PoolVerifier::Add(Finding::Severity severity, std::string what, Location at) {
  Findings& findings = report_.findings;
  if (findings.size() > kMaxFindings) return;
  if (findings.size() == kMaxFindings) {
    findings.push_back({Finding::Severity::kCorruption, "there is more that is not told", {}, {}});
    return;
  }
  Finding finding{severity, std::move(what), {}, {}};
  if (at) {
    finding.segment = segment_of(at);
    finding.offset = place_of(at);
  }
  findings.push_back(std::move(finding));
}

// ---- Records and ends ----

void PoolVerifier::CheckRecords() {
  const Superblock& superblock = control_->superblock();
  for (std::uint64_t segment = 0; segment < control_->segments(); ++segment) CheckRecord(segment);
  for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const SlotRoot root = control_->slot_root(slot);
    if (root.epoch > superblock.highest_epoch) {
      Corrupt(fmt::format("slot {} was granted at epoch {}, above the pool's highest, {}", slot,
                          root.epoch, superblock.highest_epoch));
    }
    if (root.epoch != 0 && root.incarnation >= superblock.next_incarnation) {
      Corrupt(fmt::format("slot {} was granted to incarnation {}, which never was", slot,
                          root.incarnation));
    }
  }
}

void PoolVerifier::CheckRecord(std::uint64_t segment) {
  const SegmentRecord record = control_->record(segment);
  if (StateOf(record) == SegmentState::kFree) return;
  if (record.incarnation >= control_->superblock().next_incarnation) {
    Corrupt(fmt::format("segment {} belongs to incarnation {}, which never was", segment,
                        record.incarnation));
  }
  if (left_.clean && StateOf(record) == SegmentState::kOpen) {
    Corrupt(fmt::format("segment {} has no recorded end, although the pool was closed", segment));
  }
  if (StateOf(record) == SegmentState::kSealed && record.end < kFirstBatch) {
    Corrupt(fmt::format("segment {} ends at {}, before its first batch", segment, record.end));
  }
}

void PoolVerifier::FindEnds() {
  ends_.resize(control_->segments());
  live_bytes_.resize(control_->segments());
  LogEnds found = FindLogEnds(*control_, *log_, left_, SealedLogs::kScan);
  for (Finding& finding : found.findings) {
    if (report_.findings.size() < kMaxFindings) report_.findings.push_back(std::move(finding));
  }
  for (const LogEnd& end : found.ends) {
    ends_[end.segment] = end.end;
    report_.summary.log_bytes_used += end.end - std::min(end.end, kFirstBatch);
  }
}

// ---- The log ----

template <typename Visit>
void PoolVerifier::ForEachEntry(Visit&& visit) const {
  for (std::uint64_t segment = 0; segment < ends_.size(); ++segment) {
    const std::uint64_t begin = segment * segment_bytes();
    // Valid up to there, as the search for the ends has seen.
    for (std::uint64_t at = kFirstBatch; at < ends_[segment];) {
      const BatchView batch = BatchView::Trust(log_->data() + begin + at);
      batch.ForEach([&](const EntryView& entry, std::uint64_t offset) {
        visit(entry, Location{begin + at + offset});
      });
      at += batch.header().bytes;
    }
  }
}

void PoolVerifier::ReadLog() {
  std::vector<std::uint64_t> merged(ends_.size(), UINT64_MAX);
  for (std::uint64_t segment = 0; segment < ends_.size() && index_ != nullptr; ++segment) {
    merged[segment] = index_->merged(segment, control_->record(segment).generation);
  }
  ForEachEntry([&](const EntryView& entry, Location at) {
    const bool is_merged = place_of(at) < merged[segment_of(at)];
    ReadEntry(entry, at, is_merged ? Merged::kYes : Merged::kNo);
  });
}

void PoolVerifier::ReadEntry(const EntryView& entry, Location location, Merged merged) {
  const Superblock& superblock = control_->superblock();
  ++report_.summary.entries;
  if (entry.payload_checksum() && !entry.extent()) report_.payload_bytes += entry.data_bytes();
  if (entry.slot() != SlotOfRow(entry.row())) {
    CorruptAt(location, fmt::format("slot {}, but its row is of slot {}", entry.slot(),
                                    SlotOfRow(entry.row())));
  }
  if (entry.version().epoch > superblock.highest_epoch) {
    CorruptAt(location, fmt::format("version {}, but the pool's highest epoch is {}",
                                    entry.version().ToString(), superblock.highest_epoch));
  }
  if (const auto extent = entry.extent(); extent && *extent >= superblock.extent_ceiling) {
    CorruptAt(location, fmt::format("names extent {:#x}, which was never made", *extent));
  }
  if (!keys_.Add(entry, location, merged)) {
    CorruptAt(location, fmt::format("version {} of '{}' was given twice",
                                    entry.version().ToString(), entry.key().ToKey().ToString()));
  }
}

bool PoolVerifier::HiddenByRow(const EntryView& entry) {
  if (entry.kind() == EntryKind::kRow) return false;
  const KeyTable::Record* const row = keys_.Find(KeyName::Of(entry).OfRow());
  return row != nullptr && entry.version() < keys_.At(row->newest).hide_below();
}

// By the time before which no owner may judge it.
bool PoolVerifier::Expired(const EntryView& entry) {
  const std::uint64_t now_ms = control_->slot_root(entry.slot()).clock_floor_ms;
  const auto passed = [now_ms](const std::optional<std::uint64_t>& expiry_ms) {
    return expiry_ms && *expiry_ms <= now_ms;
  };
  if (passed(entry.expiry_ms())) return true;
  const KeyTable::Record* const row = keys_.Find(KeyName::Of(entry).OfRow());
  return row != nullptr && passed(keys_.At(row->newest).expiry_ms());
}

void PoolVerifier::JudgeKeys() {
  PoolSummary& summary = report_.summary;
  keys_.ForEach([&](const KeyTable::Record& record) {
    const EntryView entry = keys_.At(record.newest);
    if (HiddenByRow(entry)) return;
    summary.live_bytes += entry.size();
    if (entry.kind() != EntryKind::kObject) {
      ++summary.gone;
      return;
    }
    if (!Expired(entry)) ++summary.objects;
    const auto extent = entry.extent();
    if (!extent) return;
    const auto [named, added] = named_.try_emplace(*extent, record.newest);
    if (!added)
      CorruptAt(record.newest, fmt::format("names extent {:#x}, as segment {} does at {}", *extent,
                                           segment_of(named->second), place_of(named->second)));
  });
}

// ---- The index ----

bool PoolVerifier::IndexIsBelieved() const {
  return !left_.power_cut || (space_.traits().flushable && left_.power);
}

// Empty, or why the file is no index at all, as it is while an open makes one anew.
std::string PoolVerifier::NoIndexBecause(const Region& index) const {
  const Superblock& superblock = control_->superblock();
  if (index.size() != superblock.index_bytes) {
    return fmt::format("the file 'index' has {} bytes instead of {}", index.size(),
                       superblock.index_bytes);
  }
  IndexHeader header{};
  if (index.size() >= sizeof header) std::memcpy(&header, index.data(), sizeof header);
  constexpr std::size_t kFrom = offsetof(IndexHeader, checksum) + sizeof header.checksum;
  const std::uint64_t checksum = Checksum64(std::as_bytes(std::span(&header, 1)).subspan(kFrom),
                                            PlaceSeed(superblock.pool_id, Place::kIndexHeader, 0));
  if (header.magic == kIndexMagic && header.checksum == checksum) return {};
  return "the file 'index' does not begin as an index of this pool does";
}

Status PoolVerifier::OpenIndex() {
  if (!IndexIsBelieved()) {
    Note("the index is older than a power cut: an open makes it anew from the log");
    return OkStatus();
  }
  const Superblock& superblock = control_->superblock();
  auto region = space_.Open(kIndexName, RegionUse::kWords, kReadOnly);
  if (!region.ok() && region.status().code() != StatusCode::kNotFound) return region.status();
  const std::string none =
      region.ok() ? NoIndexBecause(**region) : "the pool's file 'index' is missing";
  if (!none.empty()) {
    // A crash may come while an open makes it; after a close it was there.
    Add(left_.clean ? Finding::Severity::kCorruption : Finding::Severity::kNote,
        fmt::format("{}; {}", none, kIndexIsMadeAnew), {});
    return OkStatus();
  }
  const Index::Options options{.log = log_->data(),
                               .segment_bytes = superblock.segment_bytes,
                               .pool_id = superblock.pool_id,
                               .segments = superblock.segments,
                               .epochs = nullptr,
                               .persist = false};
  auto opened = Index::Open(std::move(*region), options);
  if (!opened.ok() && opened.status().code() != StatusCode::kDataLoss) return opened.status();
  if (!opened.ok()) {
    Corrupt(fmt::format("{}; {}", opened.status().message(), kIndexIsMadeAnew));
    return OkStatus();
  }
  index_ = std::move(*opened);
  CheckMergedMarks();
  return OkStatus();
}

void PoolVerifier::CheckMergedMarks() {
  for (std::uint64_t segment = 0; segment < ends_.size(); ++segment) {
    if (ends_[segment] == 0) continue;
    const std::uint64_t merged =
        std::max(index_->merged(segment, control_->record(segment).generation), kFirstBatch);
    if (merged > ends_[segment]) {
      Corrupt(fmt::format("the index claims segment {} up to {}, but its log ends at {}", segment,
                          merged, ends_[segment]));
    } else if (left_.clean && merged < ends_[segment]) {
      Corrupt(fmt::format("the index has segment {} up to {} of {}, although the pool was closed",
                          segment, merged, ends_[segment]));
    }
  }
}

void PoolVerifier::CheckIndex() {
  for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const auto number = static_cast<std::uint16_t>(slot);
    index_->WalkSlot(number, [&](const Index::Found& found) {
      CheckFound(found, number);
      return true;
    });
  }
  keys_.ForEach([&](const KeyTable::Record& record) {
    if (!record.seen && record.merged) CheckMissing(record);
  });
  CheckMissingRows();
  CheckLiveBytes();
}

void PoolVerifier::CheckFound(const Index::Found& found, std::uint16_t slot) {
  const Location at = found.location;
  const std::uint64_t segment = segment_of(at);
  EntryView entry;
  const bool within =
      segment < ends_.size() && place_of(at) >= kFirstBatch && place_of(at) < ends_[segment];
  const bool valid =
      within && EntryView::Parse(ByteSpan(log_->data() + at.offset, ends_[segment] - place_of(at)),
                                 control_->seed(segment), place_of(at), &entry);
  KeyTable::Record* const record = valid ? keys_.Find(KeyName::Of(entry)) : nullptr;
  if (record == nullptr) return CorruptAt(at, "the index leads here, and here is no entry");
  if (entry.slot() != slot) {
    CorruptAt(at, fmt::format("the index leads here from slot {}, not {}", slot, entry.slot()));
  }
  if (record->seen) CorruptAt(at, "the index knows its key twice");
  record->seen = true;
  if (record->merged && entry.version() < keys_.At(record->merged).version()) {
    CorruptAt(at, fmt::format("the index leads here, but segment {} has a newer one at {}",
                              segment_of(record->merged), place_of(record->merged)));
  }
  live_bytes_[segment] += entry.size();
}

void PoolVerifier::CheckMissing(const KeyTable::Record& record) {
  const EntryView entry = keys_.At(record.merged);
  if (HiddenByRow(entry)) return;
  // A row entry that may still expire says more than what is gone.
  const bool forgettable =
      entry.kind() == EntryKind::kGone ||
      (entry.kind() == EntryKind::kRow && (!entry.expiry_ms() || Expired(entry)));
  if (!forgettable) {
    CorruptAt(record.merged, fmt::format("'{}' is merged, but the index does not know it",
                                         entry.key().ToKey().ToString()));
  } else if (entry.kind() == EntryKind::kRow) {
    missing_rows_.emplace(KeyName::Of(entry).Hash(), record.merged);
  } else if (record.older_left) {
    CorruptAt(record.merged,
              fmt::format("'{}' is gone, but the index forgot that while an older entry is left",
                          entry.key().ToKey().ToString()));
  }
}

// A row entry may be forgotten when it hides nothing that is left in the log.
void PoolVerifier::CheckMissingRows() {
  if (missing_rows_.empty()) return;
  ForEachEntry([&](const EntryView& entry, Location at) {
    if (entry.kind() == EntryKind::kRow) return;
    const KeyName row = KeyName::Of(entry).OfRow();
    const auto missing = missing_rows_.find(row.Hash());
    if (missing == missing_rows_.end()) return;
    const EntryView row_entry = keys_.At(missing->second);
    // One that expired hid what came before it, too.
    const bool hid = row_entry.expiry_ms() ? entry.version() < row_entry.version()
                                           : entry.version() < row_entry.hide_below();
    if (!hid || KeyName::Of(row_entry) != row) return;
    CorruptAt(at, fmt::format("a row entry says that '{}' is gone, but the index forgot that",
                              entry.key().ToKey().ToString()));
    missing_rows_.erase(missing);
  });
}

void PoolVerifier::CheckLiveBytes() {
  // After a crash they may be of another moment.
  if (!left_.clean || !report_.clean()) return;
  for (std::uint64_t segment = 0; segment < ends_.size(); ++segment) {
    if (ends_[segment] == 0 || index_->live_bytes(segment) == live_bytes_[segment]) continue;
    Note(fmt::format("segment {}: the index counts {} live bytes, and leads to {}", segment,
                     index_->live_bytes(segment), live_bytes_[segment]));
  }
}

// ---- Extents ----

Status PoolVerifier::CheckExtents() {
  const auto entries = space_.List();
  if (!entries.ok()) return entries.status();
  for (const RegionSpace::Entry& entry : *entries) {
    const auto number = ExtentNumber(entry.name);
    if (!number || named_.contains(*number)) continue;
    Note(fmt::format("no object needs '{}': the next open removes it", entry.name));
  }
  const ExtentStore extents(space_, *control_, [] { return OkStatus(); });
  for (const auto& [number, at] : named_) {
    CheckExtent(number, keys_.At(at), at, extents);
  }
  return OkStatus();
}

void PoolVerifier::CheckExtent(std::uint64_t number, const EntryView& entry, Location at,
                               const ExtentStore& extents) {
  const auto data = extents.Open(number, entry.data_bytes());
  if (!data.ok()) return CorruptAt(at, data.status().message());
  const auto* const key_begin = reinterpret_cast<const char*>(data->region->data()) +
                                AlignUp(entry.data_bytes(), 8);  // NOLINT
  const std::string_view key(key_begin, entry.row().size() + entry.column().size());
  if (data->region->size() < AlignUp(entry.data_bytes(), 8) + key.size() ||
      key.substr(0, entry.row().size()) != entry.row() ||
      key.substr(entry.row().size()) != entry.column()) {
    return CorruptAt(at, fmt::format("'{}' is of another key", ExtentStore::Name(number)));
  }
  const auto checksum = entry.payload_checksum();
  if (!checksum) return;
  report_.payload_bytes += entry.data_bytes();
  if (PayloadChecksum(data->bytes) != *checksum) {
    CorruptAt(at, fmt::format("the data in '{}' is damaged", ExtentStore::Name(number)));
  }
}

}  // namespace

Result<PoolSummary> InspectPool(RegionSpace& space) {
  Findings ignored;
  auto files = OpenFiles(space, &ignored);
  if (!files.ok()) return files.status();
  const Control& control = *files->control;
  PoolSummary summary;
  if (Status status = Summarize(space, control, &summary); !status.ok()) return status;
  for (std::uint64_t segment = 0; segment < control.segments(); ++segment) {
    const SegmentRecord record = control.record(segment);
    std::uint64_t end = kFirstBatch;
    if (StateOf(record) == SegmentState::kSealed) end = record.end;
    if (StateOf(record) == SegmentState::kOpen) {
      end = ScanSegment(control, *files->log, segment, control.segment_bytes(),
                        BatchView::Payloads::kSkip, nullptr)
                .valid_end;
    }
    summary.log_bytes_used += end - std::min(end, kFirstBatch);
  }
  return summary;
}

bool VerifyReport::clean() const {
  return std::ranges::none_of(findings, [](const Finding& finding) {
    return finding.severity == Finding::Severity::kCorruption;
  });
}

Result<VerifyReport> VerifyPool(RegionSpace& space) {
  VerifyReport report;
  auto files = OpenFiles(space, &report.findings);
  Status status = files.status();
  if (status.ok()) status = PoolVerifier(space, std::move(*files), &report).Run();
  if (status.code() == StatusCode::kDataLoss) {
    // Damage is what this is to tell of.
    report.findings.push_back(
        {Finding::Severity::kCorruption, std::string(status.message()), {}, {}});
    return report;
  }
  if (!status.ok()) return status;
  return report;
}

}  // namespace cirein::dpm
