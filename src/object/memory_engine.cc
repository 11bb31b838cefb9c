// SPDX-License-Identifier: Apache-2.0
#include "object/memory_engine.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cirein {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

}  // namespace

MemoryEngine::MemoryEngine(unsigned skip_bits, const Clock& clock, MemoryBudget& budget)
    : clock_(clock),
      wall_offset_ns_(
          std::chrono::duration_cast<std::chrono::nanoseconds>(clock.WallNow()).count() -
          std::chrono::duration_cast<std::chrono::nanoseconds>(clock.Now()).count()),
      epoch_(static_cast<std::uint64_t>(
          std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                     clock.WallNow()).count(), 1))),
      rows_(skip_bits),
      credit_(budget) {}

std::uint64_t MemoryEngine::ToWall(TimePoint expires) const {
  if (expires == kEndOfTime) return 0;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(expires).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>((ns + wall_offset_ns_) / kNsPerMs, 1));
}

TimePoint MemoryEngine::FromWall(std::uint64_t expiry_ms) const {
  constexpr std::uint64_t kLastMs = INT64_MAX / kNsPerMs;
  if (expiry_ms == 0 || expiry_ms >= kLastMs) return kEndOfTime;
  const std::int64_t wall_ns = static_cast<std::int64_t>(expiry_ms) * kNsPerMs;
  return TimePoint(std::chrono::nanoseconds(wall_ns - wall_offset_ns_));
}

Row* MemoryEngine::FindRow(const KeyView& key) const {
  Row* const row = rows_.Find(key);
  return row == nullptr || IsOver(*row) ? nullptr : row;
}

Row* MemoryEngine::FindRow(const KeyView& key, Garbage& garbage) {
  Row* const row = rows_.Find(key);
  if (row == nullptr || row->expires == kEndOfTime) return row;
  // What has expired keeps no row, nor its expiry.
  ClearExpired(*row, garbage);
  return EraseIfEmpty(row) ? nullptr : row;
}

void MemoryEngine::SetRowExpiry(Row& row, TimePoint expires) {
  if (row.expires != kEndOfTime) --expiring_;
  if (expires != kEndOfTime) ++expiring_;
  row.expires = expires;
  earliest_expiry_ = std::min(earliest_expiry_, expires);
}

Cell* MemoryEngine::FindCell(Row* row, const KeyView& key) noexcept {
  if (row == nullptr) return nullptr;
  if (!key.has_column) return row->cell.object.is_null() ? nullptr : &row->cell;
  if (row->columns == nullptr) return nullptr;
  const auto column = row->columns->cells.find(key.column);
  return column == row->columns->cells.end() ? nullptr : &column->second;
}

StoredObject MemoryEngine::Stored(const Row& row, const Cell& cell) const {
  return {.object = cell.object,
          .meta_bytes = cell.object.meta_bytes(),
          .data_bytes = cell.object.data_bytes(),
          .version = {epoch_, cell.version},
          .expires = std::min(cell.expires, row.expires),
          .expiry_ms = ToWall(cell.expires)};
}

std::optional<PutOutcome> MemoryEngine::Refusal(const Cell* cell, const PutRequest& request) const {
  const bool alive = cell != nullptr && Alive(*cell);
  const Version present = alive ? Version{epoch_, cell->version} : Version{};
  if (request.mode == PutMode::kWriteOnce && alive) {
    return PutOutcome{PutOutcome::Code::kExists, present};
  }
  if (request.mode == PutMode::kIfVersion && request.if_version != present) {
    return PutOutcome{PutOutcome::Code::kVersionDiffers, present};
  }
  return std::nullopt;
}

Version MemoryEngine::VersionOf(const Cell* cell) const {
  return cell != nullptr ? Version{epoch_, cell->version} : Version{};
}

MemoryEngine::Need MemoryEngine::NeedOf(const KeyView& key, const Row* row, const Cell* cell,
                                        const DataObject& object) const {
  Need need{object.memory_bytes(), cell != nullptr ? cell->object.memory_bytes() : 0};
  if (row == nullptr) need.takes += RowTable::RowBytes(key.row.size());
  if (cell == nullptr && key.has_column) need.takes += ColumnBytes(key.column.size());
  return need;
}

bool MemoryEngine::Take(Need need) {
  if (need.takes > need.frees) return credit_.Take(need.takes - need.frees);
  credit_.Give(need.frees - need.takes);
  return true;
}

Result<PutOutcome> MemoryEngine::Put(const KeyView& key, PutRequest& request, Garbage& garbage) {
  Row* row = FindRow(key, garbage);
  Cell* cell = FindCell(row, key);
  if (const auto refused = Refusal(cell, request)) return *refused;
  if (!request.store) {
    const bool promised = request.version != Version{};
    return PutOutcome{PutOutcome::Code::kStored,
                      promised ? request.version : Version{epoch_, ++last_version_}};
  }

  bool taken = Take(NeedOf(key, row, cell, request.object));
  if (!taken && ClearAllExpired(garbage)) {
    row = rows_.Find(key);  // The sweep may have erased it.
    cell = FindCell(row, key);
    taken = Take(NeedOf(key, row, cell, request.object));
  }
  if (!taken) return PutOutcome{PutOutcome::Code::kFull, VersionOf(cell)};
  const Version version = {epoch_, Store(key, row, cell, request, garbage)};
  return PutOutcome{PutOutcome::Code::kStored, version};
}

MemoryEngine::Need MemoryEngine::NeedOf(std::span<PutItem> items) {
  Need all;
  for (const PutItem& item : items) {
    Row* const row = rows_.Find(item.key);
    const Need need = NeedOf(item.key, row, FindCell(row, item.key), item.request.object);
    all.takes += need.takes;
    all.frees += need.frees;
  }
  // A row that is new is paid for once.
  if (!items.empty() && rows_.Find(items[0].key) == nullptr) {
    all.takes -= (items.size() - 1) * RowTable::RowBytes(items[0].key.row.size());
  }
  return all;
}

Result<PutOutcome> MemoryEngine::PutGroup(std::span<PutItem> items, Garbage& garbage) {
  bool store = true;
  if (!items.empty()) static_cast<void>(FindRow(items[0].key, garbage));
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto refused = Refusal(FindCell(rows_.Find(items[i].key), items[i].key), items[i].request);
    if (refused) {
      refused->item = i;
      return *refused;
    }
    store = store && items[i].request.store;
  }
  if (!store) {
    const Version promised = items.back().request.version;
    if (promised != Version{}) return PutOutcome{PutOutcome::Code::kStored, promised};
    last_version_ += items.size();
    return PutOutcome{PutOutcome::Code::kStored, {epoch_, last_version_}};
  }
  if (!Take(NeedOf(items)) && (!ClearAllExpired(garbage) || !Take(NeedOf(items)))) {
    return PutOutcome{PutOutcome::Code::kFull, {}};
  }
  // Those that `keep` lets go are the oldest, so none of this group while it is not larger itself.
  Version version{epoch_, 0};
  for (PutItem& item : items) {
    Row* const row = rows_.Find(item.key);
    const std::uint32_t keep = std::exchange(item.request.keep, 0);
    version.counter = Store(item.key, row, FindCell(row, item.key), item.request, garbage);
    item.request.keep = keep;
  }
  // The newest column, behind which there may be the object without one.
  const auto last = std::find_if(items.rbegin(), items.rend(),
                                 [](const PutItem& item) { return item.key.has_column; });
  if (last != items.rend() && last->request.keep != 0) {
    KeepNewest(last->key, *rows_.Find(last->key), last->request.keep, garbage);
  }
  return PutOutcome{PutOutcome::Code::kStored, version};
}

std::uint64_t MemoryEngine::Store(const KeyView& key, Row* row, Cell* cell, PutRequest& request,
                                  Garbage& garbage) {
  if (row == nullptr) row = rows_.Insert(key);
  if (cell == nullptr) {
    if (key.has_column) {
      if (row->columns == nullptr) row->columns = std::make_unique<Columns>();
      cell = &row->columns->cells[std::string(key.column)];
    } else {
      cell = &row->cell;
    }
  }
  Fill(*row, *cell, key.has_column, request, garbage);
  const std::uint64_t version = cell->version;
  if (request.keep != 0 && key.has_column) KeepNewest(key, *row, request.keep, garbage);
  return version;
}

void MemoryEngine::Fill(Row& row, Cell& cell, bool is_column, PutRequest& request,
                        Garbage& garbage) {
  if (is_column) {
    if (!cell.object.is_null()) row.columns->user_bytes -= cell.object.user_bytes();
    row.columns->user_bytes += request.object.user_bytes();
  }
  if (cell.object.is_null()) {
    ++objects_;
  } else {
    garbage.push_back(std::move(cell.object));
    if (cell.expires != kEndOfTime) --expiring_;
  }
  cell.object = std::move(request.object);
  cell.version = request.version.epoch == epoch_ ? request.version.counter : ++last_version_;
  cell.expires = request.expires;
  if (cell.expires != kEndOfTime) ++expiring_;
  earliest_expiry_ = std::min(earliest_expiry_, cell.expires);
}

// One pass over the columns: few, unless a pool that keeps all of them filled the row before.
void MemoryEngine::KeepNewest(const KeyView& key, Row& row, std::uint32_t keep, Garbage& garbage) {
  auto& cells = row.columns->cells;
  if (cells.size() <= keep) return;
  // What is not to be kept: the column just written stays whatever the others are, and what has
  // expired goes before anything that lives.
  const auto age = [this](const Cell& cell) { return Alive(cell) ? cell.version : 0; };
  std::vector<std::uint64_t> ages;
  ages.reserve(cells.size());
  for (const auto& [name, cell] : cells) {
    if (name != key.column) ages.push_back(age(cell));
  }
  const auto last_to_go = ages.begin() + static_cast<std::ptrdiff_t>(cells.size() - keep - 1);
  std::nth_element(ages.begin(), last_to_go, ages.end());
  const std::uint64_t newest_to_go = *last_to_go;
  for (auto column = cells.begin(); column != cells.end();) {
    if (column->first != key.column && age(column->second) <= newest_to_go) {
      column = EraseColumn(row, column, garbage);
    } else {
      ++column;
    }
  }
}

Result<bool> MemoryEngine::Get(const KeyView& key, Load /*load*/, StoredObject& found) {
  Row* const row = FindRow(key);
  const Cell* cell = FindCell(row, key);
  if (cell == nullptr || !Alive(*cell)) return false;
  found = Stored(*row, *cell);
  return true;
}

void MemoryEngine::ClearObject(Row& row, Garbage& garbage) {
  Cell& cell = row.cell;
  credit_.Give(cell.object.memory_bytes());
  if (cell.expires != kEndOfTime) --expiring_;
  garbage.push_back(std::move(cell.object));
  cell = Cell();
  --objects_;
}

MemoryEngine::ColumnIterator MemoryEngine::EraseColumn(Row& row, ColumnIterator column,
                                                       Garbage& garbage) {
  Cell& cell = column->second;
  row.columns->user_bytes -= cell.object.user_bytes();
  credit_.Give(cell.object.memory_bytes() + ColumnBytes(column->first.size()));
  if (cell.expires != kEndOfTime) --expiring_;
  garbage.push_back(std::move(cell.object));
  --objects_;
  return row.columns->cells.erase(column);
}

bool MemoryEngine::EraseIfEmpty(Row* row) {
  if (row->columns != nullptr && row->columns->cells.empty()) row->columns.reset();
  if (!row->empty()) return false;
  if (row->expires != kEndOfTime) --expiring_;
  credit_.Give(RowTable::RowBytes(row->name_bytes));
  rows_.Erase(row);
  return true;
}

Result<std::uint64_t> MemoryEngine::Drop(const KeyView& row_key, const Pattern& pattern,
                                         Garbage& garbage) {
  Row* row = FindRow(row_key, garbage);
  if (row == nullptr) return std::uint64_t{0};
  std::uint64_t dropped = 0;
  if (!row->cell.object.is_null() && pattern.MatchesColumn(std::nullopt)) {
    if (Alive(row->cell)) ++dropped;
    ClearObject(*row, garbage);
  }
  if (row->columns != nullptr && pattern.column_match() != Pattern::ColumnMatch::kNone) {
    auto& cells = row->columns->cells;
    auto column = cells.lower_bound(std::string_view(pattern.column()));
    while (column != cells.end() && pattern.MatchesColumn(column->first)) {
      if (Alive(column->second)) ++dropped;
      column = EraseColumn(*row, column, garbage);
    }
  }
  // What has expired keeps no row, nor its expiry.
  if (row->expires != kEndOfTime) ClearExpired(*row, garbage);
  EraseIfEmpty(row);
  return dropped;
}

Result<bool> MemoryEngine::GetRowInfo(const KeyView& row_key, RowInfo& info) {
  const Row* row = FindRow(row_key);
  if (row == nullptr) return false;
  info = RowInfo();
  if (Alive(row->cell)) {
    info.has_object = true;
    info.user_bytes = row->cell.object.user_bytes();
  }
  if (row->columns != nullptr) {
    if (expiring_ == 0) {
      info.columns = row->columns->cells.size();
      info.user_bytes += row->columns->user_bytes;
    } else {
      for (const auto& [name, cell] : row->columns->cells) {
        if (!Alive(cell)) continue;
        ++info.columns;
        info.user_bytes += cell.object.user_bytes();
      }
    }
  }
  if (!info.has_object && info.columns == 0) return false;
  info.availability = Availability::kLocalMemory;
  return true;
}

Result<bool> MemoryEngine::WalkRow(const KeyView& row_key, const Pattern& pattern,
                                   const std::optional<std::optional<std::string_view>>& after,
                                   Load /*load*/, const Visitor& visit) {
  const Row* row = FindRow(row_key);
  if (row == nullptr) return true;
  KeyView key = row_key;
  key.has_column = false;
  if (!after && pattern.MatchesColumn(std::nullopt) && Alive(row->cell) &&
      !visit(key, Stored(*row, row->cell))) {
    return false;
  }
  if (row->columns == nullptr || pattern.column_match() == Pattern::ColumnMatch::kNone) return true;
  const auto& cells = row->columns->cells;
  auto column = cells.lower_bound(std::string_view(pattern.column()));
  if (after && *after && **after >= pattern.column()) column = cells.upper_bound(**after);
  key.has_column = true;
  for (; column != cells.end() && pattern.MatchesColumn(column->first); ++column) {
    if (!Alive(column->second)) continue;
    key.column = column->first;
    if (!visit(key, Stored(*row, column->second))) return false;
  }
  return true;
}

Result<Engine::RowPage> MemoryEngine::Rows(const RowName& from, const Pattern& pattern,
                                           std::size_t max_rows) {
  RowPage page;
  Row* row = rows_.Seek({from.place, from.bucket, from.name});
  for (std::size_t looked_at = 0; row != nullptr; row = rows_.Next(row)) {
    if (looked_at++ == max_rows) {
      page.next = RowName{row->hash, row->bucket, std::string(row->name())};
      break;
    }
    if (row->bucket == pattern.bucket() && pattern.MatchesRow(row->name()) && !IsOver(*row)) {
      page.rows.push_back({row->hash, row->bucket, std::string(row->name())});
    }
  }
  return page;
}

std::uint64_t MemoryEngine::ClearExpired(Row& row, Garbage& garbage) {
  std::uint64_t cleared = 0;
  const bool over = IsOver(row);
  if (!row.cell.object.is_null() && (over || !Alive(row.cell))) {
    ClearObject(row, garbage);
    ++cleared;
  }
  if (row.columns == nullptr) return cleared;
  auto& cells = row.columns->cells;
  for (auto column = cells.begin(); column != cells.end();) {
    if (!over && Alive(column->second)) {
      ++column;
    } else {
      column = EraseColumn(row, column, garbage);
      ++cleared;
    }
  }
  return cleared;
}

bool MemoryEngine::ClearAllExpired(Garbage& garbage) {
  if (expiring_ == 0 || earliest_expiry_ > clock_.Now()) return false;
  earliest_expiry_ = kEndOfTime;
  const auto keep_earliest = [this](const Cell& cell) {
    if (!cell.object.is_null()) earliest_expiry_ = std::min(earliest_expiry_, cell.expires);
  };
  for (Row* row = rows_.Seek({}); row != nullptr;) {
    Row* const next = rows_.Next(row);
    ClearExpired(*row, garbage);
    if (!row->empty()) earliest_expiry_ = std::min(earliest_expiry_, row->expires);
    keep_earliest(row->cell);
    if (row->columns != nullptr) {
      for (const auto& [name, cell] : row->columns->cells) keep_earliest(cell);
    }
    EraseIfEmpty(row);
    row = next;
  }
  return true;
}

Result<RowState> MemoryEngine::GetRowState(const KeyView& row_key) {
  RowState state;
  const Row* row = FindRow(row_key);
  if (row == nullptr) return state;
  state.has_object = Alive(row->cell);
  if (row->columns == nullptr) {
    if (state.has_object) state.expiry_ms = ToWall(row->expires);
    return state;
  }
  const auto& cells = row->columns->cells;
  if (expiring_ == 0) {
    state.columns = cells.size();
  } else {
    state.columns = static_cast<std::uint64_t>(std::count_if(
        cells.begin(), cells.end(), [this](const auto& column) { return Alive(column.second); }));
  }
  if (state.exists()) state.expiry_ms = ToWall(row->expires);
  return state;
}

// So much that all that is put fits as if nothing were there; one object alone may replace what is.
std::uint64_t MemoryEngine::Reservation(const Part& part, Garbage& garbage) {
  std::uint64_t bytes = 0;
  std::uint64_t replaced = 0;
  for (const Change* change : part.changes) {
    if (change->kind != Change::Kind::kPut) continue;
    const KeyView& key = change->key;
    Row* const row = FindRow(key, garbage);
    bytes += NeedOf(key, nullptr, nullptr, change->object).takes;
    replaced = NeedOf(key, row, FindCell(row, key), change->object).frees;
  }
  return part.changes.size() == 1 ? bytes - std::min(bytes, replaced) : bytes;
}

// Memory for all that is put is taken first; what is not needed is given back.
Status MemoryEngine::Apply(std::span<Part> parts, Garbage& garbage) {
  absl::InlinedVector<std::uint64_t, 2> reserved;
  const auto take = [&](MemoryEngine& engine, const Part& part) {
    reserved.push_back(engine.Reservation(part, garbage));
    if (engine.credit_.Take(reserved.back())) return true;
    if (engine.ClearAllExpired(garbage) && engine.credit_.Take(reserved.back())) return true;
    reserved.pop_back();
    return false;
  };
  for (const Part& part : parts) {
    // The engines of one host are of one kind.
    if (take(static_cast<MemoryEngine&>(*part.engine), part)) continue;
    for (std::size_t i = 0; i < reserved.size(); ++i) {
      static_cast<MemoryEngine&>(*parts[i].engine).credit_.Give(reserved[i]);
    }
    return ResourceExhausted("no memory left for what is to be stored",
                             "drop objects, publish with a ttl, or raise memory.limit");
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto& engine = static_cast<MemoryEngine&>(*parts[i].engine);
    // Each change takes and frees as it must, out of what it finds when its turn comes.
    engine.credit_.Give(reserved[i]);
    for (Change* change : parts[i].changes) engine.Apply(*change, garbage);
  }
  return OkStatus();
}

void MemoryEngine::Apply(Change& change, Garbage& garbage) {
  const KeyView& key = change.key;
  switch (change.kind) {
    case Change::Kind::kPut: {
      Row* const row = FindRow(key, garbage);
      Cell* const cell = FindCell(row, key);
      credit_.TakeAnyway(NeedOf(key, row, cell, change.object).takes);
      credit_.Give(NeedOf(key, row, cell, change.object).frees);
      PutRequest request;
      request.object = std::move(change.object);
      request.expires = FromWall(change.expiry_ms);
      change.version = {epoch_, Store(key, row, cell, request, garbage)};
      return;
    }
    case Change::Kind::kDrop:
    case Change::Kind::kDropRow: {
      Pattern pattern = Pattern::Row(std::string(key.row));
      if (change.kind == Change::Kind::kDrop) {
        pattern = key.ToKey();
      }
      static_cast<void>(Drop(key, pattern, garbage).ok());
      return;
    }
    case Change::Kind::kExpireRow:
      if (Row* const row = FindRow(key, garbage)) SetRowExpiry(*row, FromWall(change.expiry_ms));
      return;
  }
}

bool MemoryEngine::Sweep(std::size_t max_rows, Garbage& garbage) {
  if (expiring_ == 0) return false;
  max_rows = std::min(max_rows, rows_.size());
  Row* row = rows_.Seek({sweep_from_.place, sweep_from_.bucket, sweep_from_.name});
  for (std::size_t looked_at = 0; looked_at < max_rows; ++looked_at) {
    if (row == nullptr) row = rows_.Seek({});
    if (row == nullptr) break;
    Row* next = rows_.Next(row);
    if (ClearExpired(*row, garbage) != 0) EraseIfEmpty(row);
    row = next;
  }
  sweep_from_ =
      row != nullptr ? RowName{row->hash, row->bucket, std::string(row->name())} : RowName();
  return expiring_ != 0;
}

Engine::Stats MemoryEngine::GetStats() const {
  return {.rows = rows_.size(), .objects = objects_, .used_bytes = credit_.used()};
}

std::uint64_t MemoryEngine::ColumnBytes(std::size_t name_bytes) noexcept {
  // A slot of a B-tree node, three quarters full on average; a long name is on the side.
  constexpr std::uint64_t kSlotBytes = sizeof(std::pair<const std::string, Cell>) * 4 / 3;
  constexpr std::size_t kInlineNameBytes = 15;
  return kSlotBytes + (name_bytes > kInlineNameBytes ? name_bytes + 17 : 0);
}

}  // namespace cirein
