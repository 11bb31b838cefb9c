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

std::string NameOf(const Pattern& pattern) {
  if (!pattern.is_exact()) return RowName(pattern.bucket(), pattern.row());
  return ExactName(pattern.bucket(), pattern.row(),
                   pattern.column_match() == Pattern::ColumnMatch::kExact, pattern.column());
}

}  // namespace

WaiterTable::GroupMap& WaiterTable::MapOf(const Pattern& pattern) {
  if (pattern.is_exact()) return exact_;
  return pattern.row_is_prefix() ? prefixes_ : rows_;
}

void WaiterTable::Park(const Pattern& pattern, Seat& seat, std::shared_ptr<Waiter> waiter) {
  Groups& groups = MapOf(pattern)[NameOf(pattern)];
  WaiterGroup* group = nullptr;
  for (const auto& candidate : groups) {
    if (candidate->pattern == pattern) group = candidate.get();
  }
  if (group == nullptr) {
    groups.push_back(std::make_unique<WaiterGroup>());
    group = groups.back().get();
    group->pattern = pattern;
    if (pattern.row_is_prefix()) ++prefix_lengths_[pattern.row().size()];
  }
  seat.waiter = std::move(waiter);
  seat.group = group;
  seat.index = static_cast<std::uint32_t>(group->seats.size());
  group->seats.push_back(&seat);
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
  if (!group->seats.empty()) return waiter;
  GroupMap& map = MapOf(group->pattern);
  const auto entry = map.find(NameOf(group->pattern));
  std::size_t position = 0;
  while (entry->second[position].get() != group) ++position;
  EraseGroup(map, entry, position);
  return waiter;
}

void WaiterTable::ForgetPrefix(const WaiterGroup& group) {
  if (!group.pattern.row_is_prefix()) return;
  const auto length = prefix_lengths_.find(group.pattern.row().size());
  if (--length->second == 0) prefix_lengths_.erase(length);
}

void WaiterTable::EraseGroup(GroupMap& map, GroupMap::iterator entry, std::size_t position) {
  Groups& groups = entry->second;
  ForgetPrefix(*groups[position]);
  if (position + 1 != groups.size()) groups[position] = std::move(groups.back());
  groups.pop_back();
  if (groups.empty()) map.erase(entry);
}

void WaiterTable::Take(WaiterGroup& group, std::vector<std::shared_ptr<Waiter>>& out) {
  out.reserve(out.size() + group.seats.size());
  for (Seat* seat : group.seats) {
    seat->group = nullptr;
    out.push_back(std::move(seat->waiter));
  }
}

void WaiterTable::CollectMatching(GroupMap& map, const std::string& name, const KeyView& key,
                                  std::vector<std::shared_ptr<Waiter>>& out) {
  const auto entry = map.find(name);
  if (entry == map.end()) return;
  const auto column = key.has_column ? std::optional(key.column) : std::nullopt;
  for (std::size_t i = entry->second.size(); i-- > 0;) {
    WaiterGroup& group = *entry->second[i];
    if (!group.pattern.MatchesColumn(column)) continue;
    Take(group, out);
    size_ -= group.seats.size();
    const bool was_last = entry->second.size() == 1;
    EraseGroup(map, entry, i);
    if (was_last) return;
  }
}

void WaiterTable::Collect(const KeyView& key, std::vector<std::shared_ptr<Waiter>>& out) {
  if (size_ == 0) return;
  if (!exact_.empty()) {
    CollectMatching(exact_, ExactName(key.bucket, key.row, key.has_column, key.column), key, out);
  }
  if (!rows_.empty()) CollectMatching(rows_, RowName(key.bucket, key.row), key, out);
  // Collecting may take lengths away: step by value.
  for (auto length = prefix_lengths_.begin(); length != prefix_lengths_.end();) {
    const std::size_t bytes = length->first;
    if (bytes > key.row.size()) break;
    CollectMatching(prefixes_, RowName(key.bucket, key.row.substr(0, bytes)), key, out);
    length = prefix_lengths_.upper_bound(bytes);
  }
}

void WaiterTable::CollectAll(std::vector<std::shared_ptr<Waiter>>& out) {
  for (GroupMap* map : {&exact_, &rows_, &prefixes_}) {
    for (auto& [name, groups] : *map) {
      for (const auto& group : groups) Take(*group, out);
    }
    map->clear();
  }
  prefix_lengths_.clear();
  size_ = 0;
}

std::size_t WaiterTable::CountFor(const KeyView& key) const {
  const auto entry = exact_.find(ExactName(key.bucket, key.row, key.has_column, key.column));
  return entry == exact_.end() ? 0 : entry->second.front()->seats.size();
}

}  // namespace cirein
