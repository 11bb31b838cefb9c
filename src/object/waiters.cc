// SPDX-License-Identifier: Apache-2.0
#include "object/waiters.h"

#include <cstring>
#include <utility>

namespace cirein {
namespace {

std::string RowName(Bucket bucket, std::string_view row) {
  const std::uint32_t id = bucket.id();
  std::string name(sizeof(id), '\0');
  std::memcpy(name.data(), &id, sizeof(id));
  name.append(row);
  return name;
}

// A length between row and column keeps ("ab", "c") and ("a", "bc") apart; none means no column.
std::string ExactName(Bucket bucket, std::string_view row, bool has_column,
                      std::string_view column) {
  std::string name = RowName(bucket, row);
  if (has_column) {
    const auto row_bytes = static_cast<std::uint32_t>(row.size());
    name.append(column);
    name.append(reinterpret_cast<const char*>(&row_bytes), sizeof(row_bytes));
    name.push_back('c');
  } else {
    name.push_back('r');
  }
  return name;
}

std::string ExactName(const Pattern& pattern) {
  return ExactName(pattern.bucket(), pattern.row(),
                   pattern.column_match() == Pattern::ColumnMatch::kExact, pattern.column());
}

// The column part of a pattern: its kind and its text.
std::string ColumnName(Pattern::ColumnMatch match, std::string_view column) {
  std::string name(1, static_cast<char>('0' + static_cast<int>(match)));
  name.append(column);
  return name;
}

void Count(absl::btree_map<std::size_t, std::size_t>& lengths, std::size_t length) {
  ++lengths[length];
}

void Uncount(absl::btree_map<std::size_t, std::size_t>& lengths, std::size_t length) {
  const auto entry = lengths.find(length);
  if (--entry->second == 0) lengths.erase(entry);
}

}  // namespace

WaiterGroup& WaiterTable::GroupOf(const Pattern& pattern) {
  using ColumnMatch = Pattern::ColumnMatch;
  if (pattern.is_exact()) {
    std::unique_ptr<WaiterGroup>& group = exact_[ExactName(pattern)];
    if (group == nullptr) group = std::make_unique<WaiterGroup>(WaiterGroup{pattern, {}});
    return *group;
  }
  const auto [row, row_is_new] =
      RowMapOf(pattern).try_emplace(RowName(pattern.bucket(), pattern.row()));
  if (row_is_new && pattern.row_is_prefix()) Count(prefix_lengths_, pattern.row().size());
  std::unique_ptr<WaiterGroup>& group =
      row->second.groups[ColumnName(pattern.column_match(), pattern.column())];
  if (group == nullptr) {
    group = std::make_unique<WaiterGroup>(WaiterGroup{pattern, {}});
    if (pattern.column_match() == ColumnMatch::kPrefix) {
      Count(row->second.prefix_lengths, pattern.column().size());
    }
  }
  return *group;
}

void WaiterTable::EraseGroup(const Pattern& pattern) {
  if (pattern.is_exact()) {
    exact_.erase(ExactName(pattern));
    return;
  }
  RowMap& map = RowMapOf(pattern);
  const auto row = map.find(RowName(pattern.bucket(), pattern.row()));
  row->second.groups.erase(ColumnName(pattern.column_match(), pattern.column()));
  if (pattern.column_match() == Pattern::ColumnMatch::kPrefix) {
    Uncount(row->second.prefix_lengths, pattern.column().size());
  }
  if (!row->second.groups.empty()) return;
  map.erase(row);
  if (pattern.row_is_prefix()) Uncount(prefix_lengths_, pattern.row().size());
}

void WaiterTable::Park(const Pattern& pattern, Seat& seat, std::shared_ptr<Waiter> waiter) {
  WaiterGroup& group = GroupOf(pattern);
  seat.waiter = std::move(waiter);
  seat.group = &group;
  seat.index = static_cast<std::uint32_t>(group.seats.size());
  group.seats.push_back(&seat);
  ++size_;
}

std::shared_ptr<Waiter> WaiterTable::Unpark(Seat& seat) {
  WaiterGroup* group = std::exchange(seat.group, nullptr);
  if (group == nullptr) return nullptr;
  std::shared_ptr<Waiter> waiter = std::move(seat.waiter);
  Seat* last = group->seats.back();
  group->seats[seat.index] = last;
  last->index = seat.index;
  group->seats.pop_back();
  --size_;
  if (group->seats.empty()) EraseGroup(Pattern(group->pattern));
  return waiter;
}

void WaiterTable::TakeFrom(GroupMap& map, const std::string& name, Waiters& out) {
  const auto entry = map.find(name);
  if (entry == map.end()) return;
  WaiterGroup& group = *entry->second;
  for (Seat* seat : group.seats) {
    seat->group = nullptr;
    out.push_back(std::move(seat->waiter));
  }
  size_ -= group.seats.size();
  EraseGroup(Pattern(group.pattern));
}

void WaiterTable::CollectColumns(RowMap& map, const std::string& row, const KeyView& key,
                                 Waiters& out) {
  using ColumnMatch = Pattern::ColumnMatch;
  // Taking a group may take the row with it: each probe looks the row up anew.
  const auto take = [&](const std::string& column) {
    const auto entry = map.find(row);
    if (entry != map.end()) TakeFrom(entry->second.groups, column, out);
  };
  take(ColumnName(ColumnMatch::kAll, {}));
  if (!key.has_column) return take(ColumnName(ColumnMatch::kNone, {}));
  take(ColumnName(ColumnMatch::kExact, key.column));
  for (std::size_t least = 0; least <= key.column.size();) {
    const auto entry = map.find(row);
    if (entry == map.end()) return;
    const auto length = entry->second.prefix_lengths.lower_bound(least);
    if (length == entry->second.prefix_lengths.end() || length->first > key.column.size()) return;
    least = length->first + 1;
    take(ColumnName(ColumnMatch::kPrefix, key.column.substr(0, length->first)));
  }
}

void WaiterTable::Collect(const KeyView& key, Waiters& out) {
  if (size_ == 0) return;
  if (!exact_.empty()) {
    TakeFrom(exact_, ExactName(key.bucket, key.row, key.has_column, key.column), out);
  }
  if (!rows_.empty()) CollectColumns(rows_, RowName(key.bucket, key.row), key, out);
  for (auto length = prefix_lengths_.begin(); length != prefix_lengths_.end();) {
    const std::size_t bytes = length->first;
    if (bytes > key.row.size()) break;
    CollectColumns(prefixes_, RowName(key.bucket, key.row.substr(0, bytes)), key, out);
    length = prefix_lengths_.upper_bound(bytes);  // It may have gone with its last group.
  }
}

void WaiterTable::CollectAll(Waiters& out) {
  out.reserve(out.size() + size_);
  const auto take_all = [&out](GroupMap& map) {
    for (auto& [name, group] : map) {
      for (Seat* seat : group->seats) {
        seat->group = nullptr;
        out.push_back(std::move(seat->waiter));
      }
    }
  };
  take_all(exact_);
  for (RowMap* map : {&rows_, &prefixes_}) {
    for (auto& [name, row] : *map) take_all(row.groups);
    map->clear();
  }
  exact_.clear();
  prefix_lengths_.clear();
  size_ = 0;
}

std::size_t WaiterTable::CountFor(const KeyView& key) const {
  const auto entry = exact_.find(ExactName(key.bucket, key.row, key.has_column, key.column));
  return entry == exact_.end() ? 0 : entry->second->seats.size();
}

}  // namespace cirein
