// SPDX-License-Identifier: Apache-2.0
#include "node/dpm_engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/sabotage.h"
#include "dpm/entry.h"

namespace cirein::node {

using dpm::EntryFields;
using dpm::EntryKind;
using dpm::EntryView;
using dpm::Location;
using dpm::ReadEpochs;

namespace {

/// Own writes that a read looks at whether they are merged.
constexpr std::size_t kMergedAtOnce = 4;

KeyView RowOnly(const KeyView& key) {
  KeyView row = key;
  row.has_column = false;
  row.column = {};
  return row;
}

}  // namespace

DpmEngine::DpmEngine(std::shared_ptr<dpm::Dpm> pool, std::shared_ptr<ShardLog> log,
                     const Clock& clock, const Options& options)
    : pool_(std::move(pool)),
      log_(std::move(log)),
      clock_(clock),
      options_(options),
      reader_(pool_->read_epochs().NewReader()),
      cache_(options.cache_bytes, kSlotCount / options.shards,
             std::make_unique<ClockPolicy>(options.cache_bytes)) {}

DpmEngine::~DpmEngine() = default;

std::uint64_t DpmEngine::PlaceOf(const KeyView& row) noexcept {
  return std::uint64_t{SlotOfRow(row.row)} << (64 - kSlotBits) | row.row_hash >> kSlotBits;
}

DpmEngine::Place DpmEngine::PlaceFor(const KeyView& key) noexcept {
  return {KeyCache::HashOf(key), SlotOfRow(key.row)};
}

void DpmEngine::BeginCall(Garbage& garbage) {
  const std::uint64_t merged = log_->merged();
  if (!unmerged_rows_.empty()) ForgetMergedRows(merged);
  cache_.Merged(merged, kMergedAtOnce, garbage);
  // What the last call has added, so that no call has to ask what it may still use.
  cache_.Shrink(log_->kept(), garbage);
}

// ---- Time ----

std::uint64_t DpmEngine::WallNowMs() const {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.WallNow());
  return static_cast<std::uint64_t>(std::max(now.count(), std::int64_t{0}));
}

std::uint64_t DpmEngine::ToWall(TimePoint expires) const {
  if (expires == kEndOfTime) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(expires - clock_.Now());
  if (left.count() <= 0) return 1;
  return WallNowMs() + static_cast<std::uint64_t>(left.count());
}

TimePoint DpmEngine::FromWall(std::uint64_t expiry_ms) const {
  if (expiry_ms == 0) return kEndOfTime;
  const std::uint64_t now_ms = WallNowMs();
  const TimePoint now = clock_.Now();
  const auto far_ms = std::chrono::duration_cast<std::chrono::milliseconds>(kEndOfTime - now);
  const std::uint64_t left_ms = expiry_ms > now_ms ? expiry_ms - now_ms : 0;
  if (left_ms >= static_cast<std::uint64_t>(far_ms.count())) return kEndOfTime;
  return now + std::chrono::milliseconds(static_cast<std::int64_t>(left_ms));
}

TimePoint DpmEngine::ExpiresAt(const KeyView& key, std::uint64_t own_expiry_ms) {
  const TimePoint own = FromWall(own_expiry_ms);
  if (row_facts_.empty()) return own;
  return std::min(own, FromWall(RowExpiryOf(RowId::Of(key))));
}

// ---- Looking up ----

Result<CacheRecord*> DpmEngine::Lookup(const KeyView& key, Place place, Count count,
                                       Garbage& garbage) {
  CacheRecord* record = cache_.Find(key, place.hash);
  if (record == nullptr) {
    if (count == Count::kYes) ++stats_.misses;
    return Learn(key, place, garbage);
  }
  See(*record);
  if (!record->used) record->used = true;  // Not written for nothing.
  if (record->gone || IsHidden(*record)) return nullptr;
  if (Expired(record->expiry_ms, place.slot)) {
    Bury(key, place, garbage);
    return nullptr;
  }
  if (count == Count::kYes) {
    if (!record->value.is_null()) {
      ++stats_.value_hits;
    } else if (cache_.IsUnmerged(*record)) {
      ++stats_.own_writes;
    } else {
      ++stats_.shortcut_hits;
    }
  }
  return record;
}

bool DpmEngine::IsHidden(const EntryView& entry) {
  if (row_facts_.empty()) return false;
  const RowFacts* const facts = FindFacts({entry.bucket().id(), entry.row()});
  if (facts == nullptr || !(entry.version() < facts->below)) return false;
  if (facts->ordinal > log_->kept()) RaiseTicket(ShardLog::TicketFor(facts->ordinal));
  return true;
}

bool DpmEngine::IsHidden(const CacheRecord& record) {
  if (row_facts_.empty()) return false;
  const RowFacts* const facts = FindFacts({record.bucket, record.row()});
  return facts != nullptr && record.version() < facts->below;
}

Result<CacheRecord*> DpmEngine::Learn(const KeyView& key, Place place, Garbage& garbage) {
  CacheRecord* record = nullptr;
  bool expired = false;
  {
    const ReadEpochs::Guard guard(reader_);
    const auto found = pool_->index().Find(key, place.slot);
    if (!found || found->entry.kind() != EntryKind::kObject || IsHidden(found->entry)) {
      return nullptr;
    }
    if (found->row_entry) LearnFacts(key, found->row_entry);
    const std::uint64_t expiry_ms = found->entry.expiry_ms().value_or(0);
    expired = Expired(expiry_ms, place.slot);
    if (!expired) {
      CIREIN_RETURN_IF_ERROR(Validate(found->entry, found->location));
      const auto& segments = pool_->segments();
      record = cache_.FindOrMake(key, place.hash, place.slot);
      record->location = found->location;
      record->generation = segments.generation(segments.segment_of(found->location.offset));
      record->set_version(found->entry.version());
      record->expiry_ms = expiry_ms;
      record->gone = false;
      if (found->alone && !cache_.HasUnmerged(place.slot)) record->columns = 0;
      expiring_ = expiring_ || expiry_ms != 0;
    }
  }
  if (expired) Bury(key, place, garbage);
  return record;
}

Result<EntryView> DpmEngine::Follow(const KeyView& key, CacheRecord* record) {
  const dpm::SegmentSpace& segments = pool_->segments();
  const std::uint64_t segment = segments.segment_of(record->location.offset);
  if (!segments.may_follow(segment, record->generation)) {
    const auto moved = pool_->index().Find(key, record->slot);
    if (record->expiry_ms != 0 && (!moved || moved->entry.kind() == EntryKind::kGone)) {
      // Its time was over, and the cleaner has taken it away.
      record->gone = true;
      return NotFound(fmt::format("\"{}\" has expired", key.ToKey().ToString()));
    }
    if (!moved || moved->entry.version() != record->version()) {
      return Internal(fmt::format("the index has lost version {} of \"{}\"",
                                  record->version().ToString(), key.ToKey().ToString()),
                      "verify the pool, and please report this");
    }
    CIREIN_RETURN_IF_ERROR(Validate(moved->entry, moved->location));
    record->location = moved->location;
    record->generation = segments.generation(segments.segment_of(moved->location.offset));
    return moved->entry;
  }
  const EntryView entry = EntryView::Trust(pool_->log() + record->location.offset);
  if (entry.version() != record->version()) {
    return DataLoss(fmt::format("segment {}, entry at {}: not version {} of \"{}\", as was written",
                                segment, record->location.offset % segments.segment_bytes(),
                                record->version().ToString(), key.ToKey().ToString()),
                    "verify the pool");
  }
  return entry;
}

Status DpmEngine::Validate(const EntryView& entry, Location location) const {
  const dpm::SegmentSpace& segments = pool_->segments();
  const std::uint64_t segment = segments.segment_of(location.offset);
  if (segments.is_ours(segment)) return OkStatus();
  const std::uint64_t offset = location.offset % segments.segment_bytes();
  const dpm::ByteSpan rest(entry.bytes(), segments.segment_bytes() - offset);
  EntryView parsed;
  if (EntryView::Parse(rest, segments.seed(segment), offset, &parsed) && parsed.PayloadIntact()) {
    return OkStatus();
  }
  return DataLoss(
      fmt::format("segment {}, entry at {}: the object there was damaged", segment, offset),
      "run cirein pool verify; restore the pool from a copy, or repair it");
}

Result<DataObject> DpmEngine::ReadObject(const EntryView& entry) const {
  if (const auto number = entry.extent()) {
    CIREIN_ASSIGN_OR_RETURN(auto extent, pool_->extents().Open(*number, entry.data_bytes()));
    return DataObject::View(extent.bytes, std::move(extent.region), entry.meta(), entry.type());
  }
  return DataObject::Copy(entry.data(), entry.meta(), entry.type());
}

StoredObject DpmEngine::Stored(const KeyView& key, Version version, std::uint64_t expiry_ms) {
  StoredObject stored;
  stored.version = version;
  stored.expires = expiry_ms == 0 && row_facts_.empty() ? kEndOfTime : ExpiresAt(key, expiry_ms);
  stored.expiry_ms = expiry_ms;
  return stored;
}

Result<StoredObject> DpmEngine::Read(const KeyView& key, CacheRecord* record, Load load,
                                     Garbage& garbage) {
  StoredObject stored = Stored(key, record->version(), record->expiry_ms);
  if (!record->value.is_null()) {
    stored.meta_bytes = record->value.meta_bytes();
    stored.data_bytes = record->value.data_bytes();
    if (load == Load::kObject) stored.object = record->value;
    return stored;
  }
  const ReadEpochs::Guard guard(reader_);
  CIREIN_ASSIGN_OR_RETURN(const EntryView entry, Follow(key, record));
  stored.meta_bytes = entry.meta().size();
  stored.data_bytes = entry.data_bytes();
  if (load == Load::kSizes) return stored;
  CIREIN_ASSIGN_OR_RETURN(stored.object, ReadObject(entry));
  if (cache_.Admits(stored.object)) cache_.SetValue(record, stored.object, garbage);
  return stored;
}

Result<bool> DpmEngine::Get(const KeyView& key, Load load, StoredObject& found) {
  Garbage garbage;
  // What is over is not seen, with or without an entry that says so.
  static_cast<void>(BeginCall(key, garbage).ok());
  const Count count = load == Load::kObject ? Count::kYes : Count::kNo;
  CIREIN_ASSIGN_OR_RETURN(CacheRecord * record, Lookup(key, PlaceFor(key), count, garbage));
  bool there = record != nullptr;
  if (there) {
    Result<StoredObject> stored = Read(key, record, load, garbage);
    there = stored.code() != StatusCode::kNotFound;
    if (there && !stored.ok()) return stored.status();
    if (there) found = std::move(*stored);
  }
  return there;
}

// ---- Writing ----

std::optional<PutOutcome> DpmEngine::Refusal(const CacheRecord* present,
                                             const PutRequest& request) {
  const Version version = present != nullptr ? present->version() : Version{};
  if (request.mode == PutMode::kWriteOnce && present != nullptr) {
    return PutOutcome{PutOutcome::Code::kExists, version};
  }
  if (request.mode == PutMode::kIfVersion && request.if_version != version) {
    return PutOutcome{PutOutcome::Code::kVersionDiffers, version};
  }
  return std::nullopt;
}

bool DpmEngine::Expired(std::uint64_t expiry_ms, std::uint16_t slot) {
  if (expiry_ms == 0 || !pool_->Expired(expiry_ms, slot, WallNowMs())) return false;
  if (!pool_->IsJudgementKept(expiry_ms, slot)) {
    RaiseTicket(ShardLog::TicketFor(0));
  }
  return true;
}

Version DpmEngine::NextVersion() {
  constexpr std::uint64_t kReusedOneIn = 4;
  if (!Sabotaged(Sabotage::kReuseVersion) || (counter_ + log_->kept()) % kReusedOneIn != 1) {
    ++counter_;
  };
  return {pool_->epoch(), counter_};
}

DpmEngine::Write DpmEngine::NewWrite(const KeyView& key, Place place, EntryKind kind) {
  return {.place = place,
          .fields = {.kind = kind, .key = key, .slot = place.slot, .version = NextVersion()},
          .object = {},
          .prepared = {},
          .name = {}};
}

Result<DpmEngine::Write> DpmEngine::MakeWrite(const KeyView& key, Place place,
                                              PutRequest& request) {
  if (request.object.data_bytes() > log_->prepare_bytes() && request.prepared == nullptr) {
    CIREIN_RETURN_IF_ERROR(log_->Prepare(key, request));
  }
  Write write = NewWrite(key, place, EntryKind::kObject);
  write.object = request.object;
  write.prepared = request.prepared;
  if (!log_->keeps_at_once() && !IsOurs(write)) {
    // Readers may be given it before it can be read from the log.
    CIREIN_ASSIGN_OR_RETURN(write.object, request.object.DeepCopy());
  }
  EntryFields& fields = write.fields;
  if (const std::uint64_t expiry_ms = ToWall(request.expires)) fields.expiry_ms = expiry_ms;
  fields.type = request.object.type();
  fields.meta = request.object.meta();
  if (request.prepared != nullptr) {
    const auto& extent = *static_cast<ShardLog::Extent*>(request.prepared.get());
    fields.extent = extent.number();
    fields.extent_bytes = request.object.data_bytes();
    fields.payload_checksum = extent.checksum();
  } else {
    fields.data = request.object.data();
  }
  return write;
}

DpmEngine::Write DpmEngine::NoLonger(const Write& write) {
  const EntryFields& object = write.fields;
  return {.place = write.place,
          .fields = {.kind = EntryKind::kGone,
                     .key = object.key,
                     .slot = object.slot,
                     .version = object.version},
          .object = {},
          .prepared = {},
          .name = {}};
}

Status DpmEngine::Append(std::span<Write> writes, Garbage& garbage) {
  absl::InlinedVector<EntryFields, 2> fields;
  for (const Write& write : writes) fields.push_back(write.fields);
  absl::InlinedVector<Location, 2> locations(writes.size());
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t last,
                          log_->Append(fields, std::span(locations.data(), locations.size())));
  Remember(writes, std::span(locations.data(), locations.size()), last - (writes.size() - 1),
           garbage);
  return OkStatus();
}

Status DpmEngine::Append(std::span<Batch> batches, Garbage& garbage) {
  std::vector<EntryFields> fields;
  for (Batch& batch : batches) {
    for (Write& write : batch.writes) {
      fields.push_back(write.fields);
      if (write.fields.kind == EntryKind::kRow) {
        fields.back().data = std::as_bytes(std::span(&write.row_record, 1));
      }
    }
  }
  if (fields.empty()) return OkStatus();
  std::vector<Location> locations(fields.size());
  ShardLog& log = *batches[0].engine->log_;
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t last, log.Append(fields, locations));
  std::size_t done = 0;
  for (Batch& batch : batches) {
    const std::size_t count = batch.writes.size();
    batch.engine->Remember(batch.writes, std::span(locations).subspan(done, count),
                           last - (fields.size() - 1 - done), garbage);
    done += count;
  }
  return OkStatus();
}

void DpmEngine::Remember(std::span<Write> writes, std::span<const Location> locations,
                         std::uint64_t first, Garbage& garbage) {
  if (writes.empty()) return;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (writes[i].fields.kind == EntryKind::kRow) {
      RememberRow(writes[i], first + i, garbage);
    } else {
      Remember(writes[i], locations[i], first + i, garbage);
    }
  }
  const std::uint64_t last = first + writes.size() - 1;
  if (last > log_->kept()) RaiseTicket(ShardLog::TicketFor(last));
  // More than were added, so that they never pile up.
  cache_.Merged(log_->merged(), 2 * writes.size(), garbage);
}

// In memory of the library, or in an extent: not in memory that a user's function frees.
bool DpmEngine::IsOurs(const Write& write) {
  return write.prepared != nullptr || write.object.kind() == DataObject::Kind::kOwned;
}

void DpmEngine::Remember(Write& write, Location location, std::uint64_t ordinal, Garbage& garbage) {
  if (write.prepared != nullptr) {
    static_cast<ShardLog::Extent*>(write.prepared.get())->SetNamed();
  }
  CacheRecord* const record =
      cache_.FindOrMake(write.fields.key, write.place.hash, write.place.slot);
  const dpm::SegmentSpace& segments = pool_->segments();
  record->location = location;
  record->generation = segments.generation(segments.segment_of(location.offset));
  record->set_version(write.fields.version);
  record->expiry_ms = write.fields.expiry_ms.value_or(0);
  record->gone = write.fields.kind == EntryKind::kGone;
  record->used = true;
  if (record->has_column) NoteColumn(write, ordinal, garbage);
  expiring_ = expiring_ || record->expiry_ms != 0;
  // Until it is kept the log cannot be read there, so the object stays here at least for so long.
  const bool worth = !write.object.is_null() && IsOurs(write) && cache_.Admits(write.object);
  record->passing = !worth && ordinal > log_->kept();
  cache_.SetUnmerged(record, ordinal);
  if (Sabotaged(Sabotage::kServeStaleValue) && !record->value.is_null()) {
    garbage.push_back(std::move(write.object));
  } else if (worth || record->passing) {
    cache_.SetValue(record, std::move(write.object), garbage);
  } else {
    cache_.SetValue(record, DataObject(), garbage);
    if (!write.object.is_null()) garbage.push_back(std::move(write.object));
  }
}

Result<PutOutcome> DpmEngine::Put(const KeyView& key, PutRequest& request, Garbage& garbage) {
  CIREIN_RETURN_IF_ERROR(BeginCall(key, garbage));
  CIREIN_RETURN_IF_ERROR(ForgetEmptyRow(key, garbage));
  const Place place = PlaceFor(key);
  if (request.mode != PutMode::kOverwrite) {
    CIREIN_ASSIGN_OR_RETURN(CacheRecord * present, Lookup(key, place, Count::kNo, garbage));
    if (const auto refused = Refusal(present, request)) return *refused;
  }
  if (!request.store) {
    return PutOutcome{PutOutcome::Code::kStored, NextVersion()};
  }
  CIREIN_ASSIGN_OR_RETURN(Write write, MakeWrite(key, place, request));
  const Version version = write.fields.version;
  if (request.keep != 0 && key.has_column) {
    std::vector<Write> writes;
    writes.push_back(std::move(write));
    CIREIN_RETURN_IF_ERROR(AddKeep(key, request.keep, writes, garbage));
    CIREIN_RETURN_IF_ERROR(Append(writes, garbage));
  } else {
    CIREIN_RETURN_IF_ERROR(Append(std::span(&write, 1), garbage));
  }
  // Only now: one that is refused stays the caller's.
  garbage.push_back(std::exchange(request.object, DataObject()));
  return PutOutcome{PutOutcome::Code::kStored, version};
}

Result<PutOutcome> DpmEngine::PutGroup(std::span<PutItem> items, Garbage& garbage) {
  CIREIN_RETURN_IF_ERROR(BeginCall(items[0].key, garbage));
  CIREIN_RETURN_IF_ERROR(ForgetEmptyRow(items[0].key, garbage));
  bool store = true;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const PutItem& item = items[i];
    store = store && item.request.store;
    if (item.request.mode == PutMode::kOverwrite) continue;
    CIREIN_ASSIGN_OR_RETURN(CacheRecord * present,
                            Lookup(item.key, PlaceFor(item.key), Count::kNo, garbage));
    auto refused = Refusal(present, item.request);
    if (!refused) continue;
    refused->item = i;
    return *refused;
  }
  if (!store) {
    counter_ += items.size();
    return PutOutcome{PutOutcome::Code::kStored, {pool_->epoch(), counter_}};
  }
  std::vector<Write> writes;
  for (PutItem& item : items) {
    CIREIN_ASSIGN_OR_RETURN(Write write, MakeWrite(item.key, PlaceFor(item.key), item.request));
    writes.push_back(std::move(write));
  }
  const Version version = writes.back().fields.version;
  const bool has_columns = std::any_of(items.begin(), items.end(),
                                       [](const PutItem& item) { return item.key.has_column; });
  if (items[0].request.keep != 0 && has_columns) {
    CIREIN_RETURN_IF_ERROR(AddKeep(items[0].key, items[0].request.keep, writes, garbage));
  }
  CIREIN_RETURN_IF_ERROR(Append(writes, garbage));
  for (PutItem& item : items) {
    garbage.push_back(std::exchange(item.request.object, DataObject()));
  }
  return PutOutcome{PutOutcome::Code::kStored, version};
}

Status DpmEngine::AddKeep(const KeyView& key, std::uint32_t keep, std::vector<Write>& writes,
                          Garbage& garbage) {
  struct Column {
    Version version;
    std::string name;
  };
  std::vector<Column> others;
  const KeyView row(key.bucket, key.row);
  const auto is_written = [&](std::string_view column) {
    return std::any_of(writes.begin(), writes.end(), [&](const Write& write) {
      return write.fields.key.has_column && write.fields.key.column == column;
    });
  };
  const auto collect = [&](const KeyView& other, const StoredObject& stored) {
    if (!is_written(other.column)) others.push_back({stored.version, std::string(other.column)});
    return true;
  };
  Pattern columns = Pattern::ColumnPrefix(std::string(key.row), "");
  columns.set_bucket(key.bucket);
  CIREIN_RETURN_IF_ERROR(WalkRow(row, columns, std::nullopt, Load::kSizes, collect).status());
  std::size_t written = 0;
  for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
    if (!write->fields.key.has_column || ++written <= keep) continue;
    // A group larger than the row may be: of its own columns too, only the newest stay.
    *write = NoLonger(*write);
  }
  const std::size_t room = keep > written ? keep - written : 0;
  if (others.size() <= room) return OkStatus();
  const auto older = [](const Column& a, const Column& b) { return a.version < b.version; };
  std::sort(others.begin(), others.end(), older);
  others.resize(others.size() - room);
  const auto key_of = [&row](const std::string& column) {
    KeyView gone = row;
    gone.has_column = true;
    gone.column = column;
    return gone;
  };
  // A row that was not kept short before: what does not fit into one group goes first.
  std::vector<KeyView> before;
  while (others.size() - before.size() > kDropsAtOnce) {
    before.push_back(key_of(others[before.size()].name));
  }
  std::uint64_t dropped = 0;
  CIREIN_RETURN_IF_ERROR(DropKeys(before, &dropped, garbage));
  for (std::size_t i = before.size(); i < others.size(); ++i) {
    // The name is copied once more, to where the entry can point to it.
    auto name = std::make_shared<std::string>(std::move(others[i].name));
    const KeyView gone = key_of(*name);
    writes.push_back(NewWrite(gone, PlaceFor(gone), EntryKind::kGone));
    writes.back().name = std::move(name);
  }
  return OkStatus();
}

// An object that expired was answered absent: with this it stays so, whatever the clock does
// (SAFETY 9). A pool without room has nothing to fear but a clock that goes back over a crash.
void DpmEngine::Bury(const KeyView& key, Place place, Garbage& garbage) {
  Write write = NewWrite(key, place, EntryKind::kGone);
  static_cast<void>(Append(std::span(&write, 1), garbage).ok());
}

Result<std::uint64_t> DpmEngine::Drop(const KeyView& row, const Pattern& pattern,
                                      Garbage& garbage) {
  CIREIN_RETURN_IF_ERROR(BeginCall(row, garbage));
  if (pattern.is_exact()) {
    KeyView key = row;
    key.has_column = pattern.column_match() == Pattern::ColumnMatch::kExact;
    if (key.has_column) key.column = pattern.column();
    const Place place = PlaceFor(key);
    CIREIN_ASSIGN_OR_RETURN(CacheRecord * present, Lookup(key, place, Count::kNo, garbage));
    if (present == nullptr) return std::uint64_t{0};
    if (RowExpiryOf(RowId::Of(row)) != 0) {
      CIREIN_ASSIGN_OR_RETURN(const RowState state, GetRowState(RowOnly(row)));
      const std::uint64_t objects = state.columns + (state.has_object ? 1 : 0);
      // The last object takes the row's expiry with it.
      if (objects == 1) {
        CIREIN_RETURN_IF_ERROR(DropRow(RowOnly(row), garbage));
        return objects;
      }
    }
    Write write = NewWrite(key, place, EntryKind::kGone);
    write.before = Presence::kPresent;
    CIREIN_RETURN_IF_ERROR(Append(std::span(&write, 1), garbage));
    return std::uint64_t{1};
  }
  std::vector<std::string> columns;
  bool has_object = false;
  const auto collect = [&](const KeyView& key, const StoredObject&) {
    if (key.has_column) {
      columns.emplace_back(key.column);
    } else {
      has_object = true;
    }
    return true;
  };
  CIREIN_RETURN_IF_ERROR(WalkRow(row, pattern, std::nullopt, Load::kSizes, collect).status());
  std::vector<KeyView> keys;
  if (has_object) keys.push_back(row);
  for (const std::string& column : columns) {
    keys.push_back(row);
    keys.back().has_column = true;
    keys.back().column = column;
  }
  bool drops_row = pattern.column_match() == Pattern::ColumnMatch::kAll && !FitsOneGroup(keys);
  if (!keys.empty() && RowExpiryOf(RowId::Of(row)) != 0) {
    CIREIN_ASSIGN_OR_RETURN(const RowState state, GetRowState(RowOnly(row)));
    // The last objects take the row's expiry with them.
    drops_row = drops_row || keys.size() == state.columns + (state.has_object ? 1 : 0);
  }
  if (drops_row) {
    CIREIN_RETURN_IF_ERROR(DropRow(row, garbage));
    return std::uint64_t{keys.size()};
  }
  std::uint64_t dropped = 0;
  CIREIN_RETURN_IF_ERROR(DropKeys(keys, &dropped, garbage));
  return dropped;
}

std::uint64_t DpmEngine::GoneBytes(const KeyView& key) {
  return dpm::EntryBytes({.kind = EntryKind::kGone, .key = key});
}

bool DpmEngine::FitsOneGroup(std::span<const KeyView> keys) const {
  std::uint64_t bytes = 0;
  for (const KeyView& key : keys) bytes += GoneBytes(key);
  return keys.size() <= kDropsAtOnce && bytes <= log_->max_group_bytes() / 2;
}

Status DpmEngine::DropKeys(std::span<const KeyView> keys, std::uint64_t* dropped,
                           Garbage& garbage) {
  while (!keys.empty()) {
    std::vector<Write> writes;
    std::uint64_t bytes = 0;
    for (const KeyView& key : keys.first(std::min(keys.size(), kDropsAtOnce))) {
      bytes += GoneBytes(key);
      if (bytes > log_->max_group_bytes() / 2 && !writes.empty()) break;
      writes.push_back(NewWrite(key, PlaceFor(key), EntryKind::kGone));
      writes.back().before = Presence::kPresent;
    }
    CIREIN_RETURN_IF_ERROR(Append(writes, garbage));
    *dropped += writes.size();
    keys = keys.subspan(writes.size());
  }
  return OkStatus();
}

}  // namespace cirein::node
