// SPDX-License-Identifier: Apache-2.0
#include "object/memory_engine.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cirein {
namespace {

// One process is one incarnation of its memory, so all versions have one epoch.
constexpr std::uint64_t kEpoch = 1;

}  // namespace

MemoryEngine::MemoryEngine(unsigned skip_bits, const Clock& clock, MemoryBudget& budget)
    : clock_(clock), rows_(skip_bits), credit_(budget) {}

Cell* MemoryEngine::FindCell(Row* row, const KeyView& key) noexcept {
  if (row == nullptr) return nullptr;
  if (!key.has_column) return row->cell.object.is_null() ? nullptr : &row->cell;
  if (row->columns == nullptr) return nullptr;
  const auto column = row->columns->cells.find(key.column);
  return column == row->columns->cells.end() ? nullptr : &column->second;
}

StoredObject MemoryEngine::Stored(const Cell& cell) const {
  return {.object = cell.object,
          .meta_bytes = cell.object.meta_bytes(),
          .data_bytes = cell.object.data_bytes(),
          .version = {kEpoch, cell.version},
          .expires = cell.expires};
}

std::optional<PutOutcome> MemoryEngine::Refusal(const Cell* cell, const PutRequest& request) const {
  const bool alive = cell != nullptr && Alive(*cell);
  const Version present = alive ? Version{kEpoch, cell->version} : Version{};
  if (request.mode == PutMode::kWriteOnce && alive) {
    return PutOutcome{PutOutcome::Code::kExists, present};
  }
  if (request.mode == PutMode::kIfVersion && request.if_version != present) {
    return PutOutcome{PutOutcome::Code::kVersionDiffers, present};
  }
  return std::nullopt;
}

Version MemoryEngine::VersionOf(const Cell* cell) {
  return cell != nullptr ? Version{kEpoch, cell->version} : Version{};
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
  Row* row = rows_.Find(key);
  Cell* cell = FindCell(row, key);
  if (const auto refused = Refusal(cell, request)) return *refused;
  if (!request.store) return PutOutcome{PutOutcome::Code::kStored, {kEpoch, ++last_version_}};

  bool taken = Take(NeedOf(key, row, cell, request.object));
  if (!taken && ClearAllExpired(garbage)) {
    row = rows_.Find(key);  // The sweep may have erased it.
    cell = FindCell(row, key);
    taken = Take(NeedOf(key, row, cell, request.object));
  }
  if (!taken) return PutOutcome{PutOutcome::Code::kFull, VersionOf(cell)};
  Store(key, row, cell, request, garbage);
  return PutOutcome{PutOutcome::Code::kStored, {kEpoch, last_version_}};
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
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto refused = Refusal(FindCell(rows_.Find(items[i].key), items[i].key), items[i].request);
    if (refused) {
      refused->item = i;
      return *refused;
    }
    store = store && items[i].request.store;
  }
  if (!store) {
    last_version_ += items.size();
    return PutOutcome{PutOutcome::Code::kStored, {kEpoch, last_version_}};
  }
  if (!Take(NeedOf(items)) && (!ClearAllExpired(garbage) || !Take(NeedOf(items)))) {
    return PutOutcome{PutOutcome::Code::kFull, {}};
  }
  // Those that `keep` lets go are the oldest, so none of this group while it is not larger itself.
  for (PutItem& item : items) {
    Row* const row = rows_.Find(item.key);
    const std::uint32_t keep = std::exchange(item.request.keep, 0);
    Store(item.key, row, FindCell(row, item.key), item.request, garbage);
    item.request.keep = keep;
  }
  const Version version{kEpoch, last_version_};
  // The newest column, behind which there may be the object without one.
  const auto last = std::find_if(items.rbegin(), items.rend(),
                                 [](const PutItem& item) { return item.key.has_column; });
  if (last != items.rend() && last->request.keep != 0) {
    KeepNewest(last->key, *rows_.Find(last->key), last->request.keep, garbage);
  }
  return PutOutcome{PutOutcome::Code::kStored, version};
}

void MemoryEngine::Store(const KeyView& key, Row* row, Cell* cell, PutRequest& request,
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
  if (request.keep != 0 && key.has_column) KeepNewest(key, *row, request.keep, garbage);
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
  cell.version = ++last_version_;
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
  const Cell* cell = FindCell(rows_.Find(key), key);
  if (cell == nullptr || !Alive(*cell)) return false;
  found = Stored(*cell);
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

void MemoryEngine::EraseIfEmpty(Row* row) {
  if (row->columns != nullptr && row->columns->cells.empty()) row->columns.reset();
  if (!row->empty()) return;
  credit_.Give(RowTable::RowBytes(row->name_bytes));
  rows_.Erase(row);
}

Result<std::uint64_t> MemoryEngine::Drop(const KeyView& row_key, const Pattern& pattern,
                                         Garbage& garbage) {
  Row* row = rows_.Find(row_key);
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
  EraseIfEmpty(row);
  return dropped;
}

Result<bool> MemoryEngine::GetRowInfo(const KeyView& row_key, RowInfo& info) {
  const Row* row = rows_.Find(row_key);
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
  const Row* row = rows_.Find(row_key);
  if (row == nullptr) return true;
  KeyView key = row_key;
  key.has_column = false;
  if (!after && pattern.MatchesColumn(std::nullopt) && Alive(row->cell) &&
      !visit(key, Stored(row->cell))) {
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
    if (!visit(key, Stored(column->second))) return false;
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
    if (row->bucket == pattern.bucket() && pattern.MatchesRow(row->name())) {
      page.rows.push_back({row->hash, row->bucket, std::string(row->name())});
    }
  }
  return page;
}

std::uint64_t MemoryEngine::ClearExpired(Row& row, Garbage& garbage) {
  std::uint64_t cleared = 0;
  if (!row.cell.object.is_null() && !Alive(row.cell)) {
    ClearObject(row, garbage);
    ++cleared;
  }
  if (row.columns == nullptr) return cleared;
  auto& cells = row.columns->cells;
  for (auto column = cells.begin(); column != cells.end();) {
    if (Alive(column->second)) {
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
    keep_earliest(row->cell);
    if (row->columns != nullptr) {
      for (const auto& [name, cell] : row->columns->cells) keep_earliest(cell);
    }
    EraseIfEmpty(row);
    row = next;
  }
  return true;
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
