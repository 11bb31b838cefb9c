// SPDX-License-Identifier: Apache-2.0

// Rows as a whole, and several changes as one, in DpmEngine.

#include <algorithm>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "node/dpm_engine.h"

namespace cirein::node {

using dpm::EntryKind;
using dpm::EntryView;
using dpm::ReadEpochs;

namespace {

KeyView RowOf(const KeyView& key) {
  KeyView row = key;
  row.has_column = false;
  row.column = {};
  return row;
}

/// Smaller objects have no extent, however many of them do not fit into one group, nor more than so
/// many of one group.
constexpr std::uint64_t kLeastExtentBytes = 4096;
constexpr std::size_t kMostExtents = 256;
/// What an entry adds to key, meta and data: its header, all optional fields, padding.
constexpr std::uint64_t kMostEntryExtraBytes = 128;

// What the changes so far of one group have made of a row.
struct ChangedRow {
  bool dropped = false;
  absl::flat_hash_map<std::string_view, bool> columns;  // Is there an object?
};

}  // namespace

// ---- What row entries say ----

DpmEngine::RowFacts* DpmEngine::FindFacts(RowId row) {
  if (row_facts_.empty()) return nullptr;
  const auto found = row_facts_.find(row);
  return found == row_facts_.end() ? nullptr : &found->second;
}

// What is known already is at least as new.
void DpmEngine::LearnFacts(const KeyView& row, const EntryView& row_entry) {
  const auto expiry_ms = row_entry.expiry_ms();
  if (!expiry_ms || FindFacts(RowId::Of(row)) != nullptr) return;
  SetFacts({row.bucket.id(), std::string(row.row)}, {row_entry.hide_below(), *expiry_ms, 0});
}

void DpmEngine::SetFacts(RowKey key, const RowFacts& facts) {
  const auto [row, added] = row_facts_.try_emplace(key);
  if (!added && row->second.expiry_ms != 0) {
    expiring_rows_.erase({row->second.expiry_ms, key.bucket, key.name});
  }
  row->second = facts;
  if (facts.expiry_ms == 0) return;
  expiring_ = true;
  expiring_rows_.insert({facts.expiry_ms, key.bucket, std::move(key.name)});
}

void DpmEngine::NoteRowEntry(const KeyView& row, const RowFacts& facts) {
  RowKey key{row.bucket.id(), std::string(row.row)};
  unmerged_rows_.emplace_back(facts.ordinal, key);
  SetFacts(std::move(key), facts);
}

void DpmEngine::ForgetMergedRows(std::uint64_t merged) {
  while (!unmerged_rows_.empty() && unmerged_rows_.front().first <= merged) {
    const auto& [ordinal, key] = unmerged_rows_.front();
    const auto row = row_facts_.find(key);
    // A later one of the same row counts; one that expires is remembered as long as it does.
    if (row != row_facts_.end() && row->second.ordinal == ordinal && row->second.expiry_ms == 0) {
      row_facts_.erase(row);
    }
    unmerged_rows_.pop_front();
  }
}

std::uint64_t DpmEngine::RowExpiryOf(RowId row) {
  const RowFacts* const facts = FindFacts(row);
  return facts == nullptr ? 0 : facts->expiry_ms;
}

std::uint64_t DpmEngine::RowExpiryOf(const Index::Found& found) {
  const RowFacts* const facts = FindFacts({found.entry.bucket().id(), found.entry.row()});
  if (facts != nullptr) return facts->expiry_ms;
  return found.row_entry ? found.row_entry.expiry_ms().value_or(0) : 0;
}

bool DpmEngine::IsOver(const Index::Found& found, std::uint16_t slot) {
  return Expired(found.entry.expiry_ms().value_or(0), slot) || Expired(RowExpiryOf(found), slot);
}

Status DpmEngine::BeginCall(const KeyView& row, Garbage& garbage) {
  BeginCall(garbage);
  if (row_facts_.empty() && pool_->index().row_entries() == 0) return OkStatus();
  const std::uint16_t slot = SlotOfRow(row.row);
  RowFacts* facts = FindFacts(RowId::Of(row));
  if (facts == nullptr) {
    const KeyView name = RowOf(row);
    const CacheRecord* const anchor = cache_.Find(name, KeyCache::HashOf(name));
    if (anchor != nullptr && anchor->columns != CacheRecord::kUnknown) return OkStatus();
    const ReadEpochs::Guard guard(reader_);
    const EntryView row_entry = pool_->index().FindRowEntry(name, slot);
    if (row_entry) LearnFacts(name, row_entry);
    facts = FindFacts(RowId::Of(row));
  }
  if (facts == nullptr) return OkStatus();
  if (facts->ordinal > log_->kept()) RaiseTicket(ShardLog::TicketFor(facts->ordinal));
  if (!Expired(facts->expiry_ms, slot)) return OkStatus();
  // Answered absent, and so absent from now on (SAFETY 9).
  return DropRow(RowOf(row), garbage);
}

// Rows that nobody has asked for since the pool was opened.
void DpmEngine::LearnExpiringRows(std::uint32_t slots) {
  const std::uint32_t per_shard = kSlotCount / options_.shards;
  const std::uint32_t end = (options_.shard + 1) * per_shard;
  if (learned_slot_ == 0) learned_slot_ = options_.shard * per_shard;
  if (pool_->index().row_entries() == 0) learned_slot_ = end;
  const ReadEpochs::Guard guard(reader_);
  for (; slots != 0 && learned_slot_ < end; --slots, ++learned_slot_) {
    pool_->index().WalkSlot(static_cast<std::uint16_t>(learned_slot_),
                            [&](const Index::Found& found) {
                              if (found.entry.kind() == EntryKind::kRow)
                                LearnFacts(found.entry.key(), found.entry);
                              return true;
                            });
  }
  expiring_ = expiring_ || learned_slot_ < end;
}

bool DpmEngine::DropExpiredRows(std::size_t max_rows, Garbage& garbage) {
  LearnExpiringRows(kSlotsPerSweep);
  for (std::size_t dropped = 0; dropped < max_rows && !expiring_rows_.empty(); ++dropped) {
    const ExpiringRow& first = *expiring_rows_.begin();
    if (!Expired(first.expiry_ms, SlotOfRow(first.name))) break;
    const std::string name = first.name;
    if (!DropRow(KeyView(Bucket(first.bucket), name), garbage).ok()) break;
  }
  return !expiring_rows_.empty();
}

// A row whose objects have all expired by themselves leaves its own expiry to nobody.
Status DpmEngine::ForgetEmptyRow(const KeyView& row, Garbage& garbage) {
  if (RowExpiryOf(RowId::Of(row)) == 0) return OkStatus();
  const KeyView name = RowOf(row);
  CIREIN_ASSIGN_OR_RETURN(const RowState state, GetRowState(name));
  return state.exists() ? OkStatus() : DropRow(name, garbage);
}

void DpmEngine::Prefetch(const KeyView& row, PrefetchPass pass) const {
  const std::uint64_t hash = KeyCache::HashOf(row);
  switch (pass) {
    case PrefetchPass::kPlaces:
      return cache_.PrefetchPlace(hash);
    case PrefetchPass::kKeys:
      return cache_.PrefetchRecord(hash);
    case PrefetchPass::kObjects:
      return cache_.PrefetchValue(hash);
  }
}

// ---- How many columns a row has ----

Result<RowState> DpmEngine::GetRowState(const KeyView& row) {
  Garbage garbage;
  static_cast<void>(BeginCall(row, garbage).ok());
  const Place place = PlaceFor(row);
  CacheRecord* anchor = cache_.Find(row, place.hash);
  if (anchor == nullptr) {
    CIREIN_ASSIGN_OR_RETURN(anchor, Learn(row, place, garbage));
  }
  if (anchor == nullptr || anchor->columns == CacheRecord::kUnknown) {
    return LearnRow(row, place, garbage);
  }
  RowState state;
  state.columns = anchor->columns;
  See(*anchor);
  if ((state.columns != 0 || anchor->lost_column) && last_column_ > log_->kept()) {
    RaiseTicket(ShardLog::TicketFor(last_column_));
  }
  if (!row_facts_.empty()) state.expiry_ms = RowExpiryOf(RowId::Of(row));
  anchor->used = true;
  state.has_object = !anchor->gone;
  if (state.has_object && Expired(anchor->expiry_ms, place.slot)) {
    Bury(row, place, garbage);
    state.has_object = false;
  }
  if (!state.exists()) state.expiry_ms = 0;
  return state;
}

Result<RowState> DpmEngine::LearnRow(const KeyView& row, Place place, Garbage& garbage) {
  RowState state;
  bool countable = true;
  {
    Pattern all = Pattern::Row(std::string(row.row));
    all.set_bucket(row.bucket);
    const ReadEpochs::Guard guard(reader_);
    std::vector<Seen> seen;
    CollectRow(row, all, std::nullopt, seen);
    for (const Seen& object : seen) {
      if (!object.has_column) {
        state.has_object = true;
        continue;
      }
      ++state.columns;
      const std::uint64_t expiry_ms =
          object.record != nullptr ? object.record->expiry_ms : object.expiry_ms;
      // What goes by itself cannot be counted once for all.
      countable = countable && expiry_ms == 0;
    }
  }
  if (state.exists()) state.expiry_ms = RowExpiryOf(RowId::Of(row));
  if (!state.exists() || !countable) return state;
  CacheRecord* anchor = cache_.Find(row, place.hash);
  if (anchor == nullptr && state.has_object) {
    CIREIN_ASSIGN_OR_RETURN(anchor, Learn(row, place, garbage));
  } else if (anchor == nullptr) {
    anchor = cache_.FindOrMake(row, place.hash, place.slot);
    anchor->gone = true;
  }
  if (anchor != nullptr) anchor->columns = static_cast<std::uint32_t>(state.columns);
  return state;
}

void DpmEngine::NoteColumn(const Write& write, std::uint64_t ordinal, Garbage& garbage) {
  last_column_ = ordinal;
  const KeyView row = RowOf(write.fields.key);
  CacheRecord* const anchor = cache_.Find(row, KeyCache::HashOf(row));
  if (anchor == nullptr || anchor->columns == CacheRecord::kUnknown) return;
  const bool there = write.fields.kind == EntryKind::kObject;
  if (write.before == Presence::kUnknown || write.fields.expiry_ms) {
    anchor->columns = CacheRecord::kUnknown;
  } else if (there && write.before == Presence::kAbsent) {
    ++anchor->columns;
  } else if (!there && write.before == Presence::kPresent) {
    --anchor->columns;
    anchor->lost_column = true;
  }
  if (anchor->gone && !cache_.IsUnmerged(*anchor) && !anchor->counts_columns())
    cache_.Erase(anchor, garbage);
}

// ---- Row entries ----

std::vector<std::string> DpmEngine::KnownColumns(const KeyView& row) {
  std::vector<std::string> columns;
  const ReadEpochs::Guard guard(reader_);
  pool_->index().WalkRow(row, SlotOfRow(row.row), [&](const Index::Found& found) {
    if (!found.entry.has_column()) return true;
    KeyView key = row;
    key.has_column = true;
    key.column = found.entry.column();
    if (cache_.Find(key, KeyCache::HashOf(key)) != nullptr) columns.emplace_back(key.column);
    return true;
  });
  return columns;
}

void DpmEngine::Forget(const KeyView& row, std::span<const std::string> columns, Garbage& garbage) {
  const auto forget = [&](const KeyView& key) {
    CacheRecord* const known = cache_.Find(key, KeyCache::HashOf(key));
    if (known != nullptr && !cache_.IsUnmerged(*known)) cache_.Erase(known, garbage);
  };
  forget(row);
  KeyView key = row;
  key.has_column = true;
  for (const std::string& column : columns) {
    key.column = column;
    forget(key);
  }
}

DpmEngine::Write DpmEngine::NewRowWrite(const KeyView& row, Version below,
                                        std::uint64_t expiry_ms) {
  Write write = NewWrite(row, PlaceFor(row), EntryKind::kRow);
  write.row_record = {below.counter, static_cast<std::uint32_t>(below.epoch), 0};
  if (expiry_ms != 0) write.fields.expiry_ms = expiry_ms;
  return write;
}

// One entry hides all of the row (SAFETY 10), and until the index knows it, row_facts_ does.
DpmEngine::Write DpmEngine::DropRowWrite(const KeyView& row) {
  Write write = NewRowWrite(row, {}, 0);
  const Version version = write.fields.version;
  write.row_record = {version.counter, static_cast<std::uint32_t>(version.epoch), 0};
  write.hidden = KnownColumns(row);
  return write;
}

Result<DpmEngine::Write> DpmEngine::ExpireRowWrite(const KeyView& row, std::uint64_t expiry_ms) {
  Version below;
  if (const RowFacts* const facts = FindFacts(RowId::Of(row))) {
    below = facts->below;
  } else {
    const ReadEpochs::Guard guard(reader_);
    const EntryView row_entry = pool_->index().FindRowEntry(row, SlotOfRow(row.row));
    if (row_entry) below = row_entry.hide_below();
  }
  return NewRowWrite(row, below, expiry_ms);
}

void DpmEngine::RememberRow(Write& write, std::uint64_t ordinal, Garbage& garbage) {
  const KeyView& row = write.fields.key;
  const Version below{write.row_record.hide_epoch, write.row_record.hide_counter};
  NoteRowEntry(row, {below, write.fields.expiry_ms.value_or(0), ordinal});
  if (below != write.fields.version) return;  // It only changes the expiry.
  Forget(row, write.hidden, garbage);
  // Those that the index does not know yet, of this very group, too.
  for (CacheRecord* own = cache_.FirstUnmerged(SlotOfRow(row.row)); own != nullptr;
       own = cache_.NextUnmerged(own)) {
    if (own->bucket != row.bucket.id() || own->row() != row.row || !(own->version() < below)) {
      continue;
    }
    if (!own->has_column) own->columns = 0;
    own->gone = true;
    cache_.SetUnmerged(own, ordinal);
    cache_.SetValue(own, DataObject(), garbage);
  }
}

Status DpmEngine::DropRow(const KeyView& row, Garbage& garbage) {
  Batch batch{this, {}};
  batch.writes.push_back(DropRowWrite(row));
  Status dropped = Append(std::span(&batch, 1), garbage);
  if (dropped.ok()) return dropped;
  // It is not seen any more in this process, at least.
  if (RowFacts* const facts = FindFacts(RowId::Of(row)); facts != nullptr) {
    facts->below = batch.writes[0].fields.version;
    Forget(row, batch.writes[0].hidden, garbage);
  }
  return dropped;
}

// ---- Several changes as one ----

// Was there an object before each change? Looking may write (what has expired is buried), so it is
// done before the first change has its version.
Result<std::vector<DpmEngine::Presence>> DpmEngine::LookAtChanges(std::span<Change* const> changes,
                                                                  Garbage& garbage) {
  std::vector<Presence> presences(changes.size(), Presence::kUnknown);
  absl::flat_hash_map<std::pair<std::uint32_t, std::string_view>, ChangedRow> rows;
  const bool several = changes.size() > 1;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Change& change = *changes[i];
    const KeyView& key = change.key;
    ChangedRow* const row = several ? &rows[{key.bucket.id(), key.row}] : nullptr;
    if (change.kind == Change::Kind::kDropRow) {
      if (row != nullptr) *row = {.dropped = true, .columns = {}};
      continue;
    }
    if (change.kind == Change::Kind::kExpireRow) continue;
    const bool drops = change.kind == Change::Kind::kDrop;
    if (!key.has_column && !drops) continue;
    bool there = false;
    const auto known =
        row == nullptr ? decltype(row->columns.begin()){} : row->columns.find(key.column);
    if (row != nullptr && key.has_column && known != row->columns.end()) {
      there = known->second;
    } else if (row == nullptr || !row->dropped) {
      CIREIN_ASSIGN_OR_RETURN(CacheRecord * present,
                              Lookup(key, PlaceFor(key), Count::kNo, garbage));
      there = present != nullptr;
    }
    presences[i] = there ? Presence::kPresent : Presence::kAbsent;
    if (row != nullptr && key.has_column) row->columns[key.column] = !drops;
  }
  return presences;
}

Status DpmEngine::MakeWrites(std::span<Change* const> changes, std::vector<Write>* writes,
                             Garbage& garbage) {
  for (Change* const change : changes) {
    const std::uint16_t slot = SlotOfRow(change->key.row);
    const RowFacts* const facts = FindFacts(RowId::Of(change->key));
    if (facts != nullptr && Expired(facts->expiry_ms, slot)) {
      CIREIN_RETURN_IF_ERROR(DropRow(RowOf(change->key), garbage));
    }
    if (change->kind == Change::Kind::kPut) {
      CIREIN_RETURN_IF_ERROR(ForgetEmptyRow(change->key, garbage));
    }
  }
  CIREIN_ASSIGN_OR_RETURN(const auto presences, LookAtChanges(changes, garbage));
  writes->reserve(changes.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Change& change = *changes[i];
    const KeyView& key = change.key;
    switch (change.kind) {
      case Change::Kind::kPut: {
        PutRequest request;
        request.object = change.object;
        request.prepared = change.prepared;
        CIREIN_ASSIGN_OR_RETURN(Write write, MakeWrite(key, PlaceFor(key), request));
        if (change.expiry_ms != 0) write.fields.expiry_ms = change.expiry_ms;
        change.version = write.fields.version;
        writes->push_back(std::move(write));
        break;
      }
      case Change::Kind::kDrop:
        // Without a column something that this group has put may be there.
        if (key.has_column && presences[i] == Presence::kAbsent) continue;
        writes->push_back(NewWrite(key, PlaceFor(key), EntryKind::kGone));
        break;
      case Change::Kind::kDropRow:
        writes->push_back(DropRowWrite(RowOf(key)));
        break;
      case Change::Kind::kExpireRow: {
        CIREIN_ASSIGN_OR_RETURN(Write write, ExpireRowWrite(RowOf(key), change.expiry_ms));
        // A row that this group has dropped before stays dropped.
        for (const Write& before : *writes) {
          if (before.fields.kind == EntryKind::kRow && before.fields.key.row == key.row &&
              before.fields.key.bucket == key.bucket) {
            write.row_record = before.row_record;
          }
        }
        writes->push_back(std::move(write));
        break;
      }
    }
    writes->back().before = presences[i];
  }
  return OkStatus();
}

// The same as below without its tables: what most transactions are.
Status DpmEngine::ApplyPut(Change& change, Garbage& garbage) {
  CIREIN_RETURN_IF_ERROR(BeginCall(change.key, garbage));
  CIREIN_RETURN_IF_ERROR(ForgetEmptyRow(change.key, garbage));
  const Place place = PlaceFor(change.key);
  Presence before = Presence::kUnknown;
  if (change.key.has_column) {
    CIREIN_ASSIGN_OR_RETURN(CacheRecord * present, Lookup(change.key, place, Count::kNo, garbage));
    before = present != nullptr ? Presence::kPresent : Presence::kAbsent;
  }
  PutRequest request;
  request.object = std::move(change.object);
  request.prepared = std::move(change.prepared);
  CIREIN_ASSIGN_OR_RETURN(Write write, MakeWrite(change.key, place, request));
  if (change.expiry_ms != 0) write.fields.expiry_ms = change.expiry_ms;
  write.before = before;
  change.version = write.fields.version;
  Status appended = Append(std::span(&write, 1), garbage);
  garbage.push_back(std::move(request.object));
  return appended;
}

Status DpmEngine::PrepareToFit(std::span<Part> parts, Garbage& garbage) {
  std::uint64_t bytes = sizeof(dpm::BatchHeader);
  std::vector<Change*> puts;
  for (const Part& part : parts) {
    for (Change* const change : part.changes) {
      bytes += kMostEntryExtraBytes + change->key.row.size() + change->key.column.size();
      if (change->kind != Change::Kind::kPut) continue;
      bytes += change->object.meta_bytes();
      if (change->prepared != nullptr) continue;
      bytes += change->object.data_bytes();
      puts.push_back(change);
    }
  }
  ShardLog& log = *static_cast<DpmEngine*>(parts[0].engine)->log_;
  const std::uint64_t room = log.max_group_bytes();
  if (bytes <= room) return OkStatus();
  std::sort(puts.begin(), puts.end(), [](const Change* a, const Change* b) {
    return a->object.data_bytes() > b->object.data_bytes();
  });
  // What is still too much is refused when it is appended: not after thousands of files.
  if (puts.size() > kMostExtents) puts.resize(kMostExtents);
  for (Change* const put : puts) {
    if (bytes <= room || put->object.data_bytes() < kLeastExtentBytes) break;
    bytes -= put->object.data_bytes();
    PutRequest request;
    request.object = put->object;
    CIREIN_RETURN_IF_ERROR(log.Prepare(put->key, request));
    garbage.push_back(std::exchange(put->object, std::move(request.object)));
    put->prepared = std::move(request.prepared);
  }
  return OkStatus();
}

Status DpmEngine::Apply(std::span<Part> parts, Garbage& garbage) {
  if (parts.size() == 1 && parts[0].changes.size() == 1 &&
      parts[0].changes[0]->kind == Change::Kind::kPut) {
    return static_cast<DpmEngine*>(parts[0].engine)->ApplyPut(*parts[0].changes[0], garbage);
  }
  CIREIN_RETURN_IF_ERROR(PrepareToFit(parts, garbage));
  std::vector<Batch> batches;
  batches.reserve(parts.size());
  for (const Part& part : parts) {
    // The engines of one host are of one kind.
    auto* const engine = static_cast<DpmEngine*>(part.engine);
    engine->BeginCall(garbage);
    batches.push_back({engine, {}});
    CIREIN_RETURN_IF_ERROR(engine->MakeWrites(std::span(part.changes.data(), part.changes.size()),
                                              &batches.back().writes, garbage));
  }
  CIREIN_RETURN_IF_ERROR(Append(batches, garbage));
  for (const Part& part : parts) {
    for (Change* const change : part.changes) {
      if (!change->object.is_null()) garbage.push_back(std::move(change->object));
    }
  }
  return OkStatus();
}

}  // namespace cirein::node
