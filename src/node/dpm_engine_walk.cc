// SPDX-License-Identifier: Apache-2.0

// The walks of DpmEngine: what the index leads to, and over it what is not merged yet.

#include <algorithm>
#include <tuple>
#include <utility>

#include "node/dpm_engine.h"

namespace cirein::node {

using dpm::EntryKind;
using dpm::ReadEpochs;

namespace {

std::optional<std::string_view> ColumnOf(const KeyView& key) {
  if (!key.has_column) return std::nullopt;
  return key.column;
}

// Does a walk that goes on after `after` come to this column?
bool IsAfter(const std::optional<std::optional<std::string_view>>& after, bool has_column,
             std::string_view column) {
  if (!after) return true;
  if (!has_column) return false;
  return !*after || column > **after;
}

}  // namespace

void DpmEngine::CollectRow(const KeyView& row, const Pattern& pattern,
                           const std::optional<std::optional<std::string_view>>& after,
                           std::vector<Seen>& seen) {
  const std::uint16_t slot = SlotOfRow(row.row);
  const bool overlaid = cache_.HasUnmerged(slot);
  pool_->index().WalkRow(row, slot, [&](const Index::Found& found) {
    KeyView key = row;
    key.has_column = found.entry.has_column();
    key.column = found.entry.column();
    if (found.entry.kind() != EntryKind::kObject || !pattern.MatchesColumn(ColumnOf(key)) ||
        !IsAfter(after, key.has_column, key.column)) {
      return true;
    }
    if (overlaid) {
      const CacheRecord* own = cache_.Find(key, KeyCache::HashOf(key));
      if (own != nullptr && cache_.IsUnmerged(*own)) return true;
    }
    if (IsHidden(found.entry) || IsOver(found, slot)) return true;
    seen.push_back({key.has_column, key.column, nullptr, found.entry, found.location,
                    found.entry.expiry_ms().value_or(0)});
    return true;
  });
  for (CacheRecord* own = cache_.FirstUnmerged(slot); own != nullptr;
       own = cache_.NextUnmerged(own)) {
    if (own->bucket != row.bucket.id() || own->row() != row.row) continue;
    std::optional<std::string_view> column;
    if (own->has_column) column = own->column();
    if (!pattern.MatchesColumn(column) || !IsAfter(after, own->has_column, own->column())) continue;
    See(*own);
    if (own->gone || IsHidden(*own) || Expired(own->expiry_ms, slot)) continue;
    seen.push_back({own->has_column, own->column(), own, {}, {}, {}});
  }
}

Result<StoredObject> DpmEngine::Read(const Seen& seen, const KeyView& key, Load load,
                                     Garbage& garbage) {
  if (seen.record != nullptr) return Read(key, seen.record, load, garbage);
  CIREIN_RETURN_IF_ERROR(Validate(seen.entry, seen.location));
  StoredObject stored = Stored(key, seen.entry.version(), seen.expiry_ms);
  stored.meta_bytes = seen.entry.meta().size();
  stored.data_bytes = seen.entry.data_bytes();
  if (load == Load::kObject) {
    CIREIN_ASSIGN_OR_RETURN(stored.object, ReadObject(seen.entry));
  }
  return stored;
}

Result<bool> DpmEngine::VisitKey(const KeyView& key, Load load, const Visitor& visit) {
  StoredObject stored;
  CIREIN_ASSIGN_OR_RETURN(const bool there, Get(key, load, stored));
  return !there || visit(key, stored);
}

Result<bool> DpmEngine::WalkRow(const KeyView& row, const Pattern& pattern,
                                const std::optional<std::optional<std::string_view>>& after,
                                Load load, const Visitor& visit) {
  if (pattern.is_exact() && !after) {
    KeyView key = row;
    key.has_column = pattern.column_match() == Pattern::ColumnMatch::kExact;
    if (key.has_column) key.column = pattern.column();
    return VisitKey(key, load, visit);
  }
  Garbage garbage;
  static_cast<void>(BeginCall(row, garbage).ok());
  const ReadEpochs::Guard guard(reader_);
  std::vector<Seen> seen;
  CollectRow(row, pattern, after, seen);
  // A heap with the first column on top: who looks at a page of a long row does not pay for a sort
  // of it all.
  const auto later = [](const Seen& a, const Seen& b) {
    return a.has_column != b.has_column ? a.has_column : a.column > b.column;
  };
  std::make_heap(seen.begin(), seen.end(), later);
  bool goes_on = true;
  for (auto end = seen.end(); goes_on && end != seen.begin(); --end) {
    std::pop_heap(seen.begin(), end, later);
    const Seen& next = *(end - 1);
    KeyView key = row;
    key.has_column = next.has_column;
    key.column = next.column;
    const Result<StoredObject> stored = Read(next, key, load, garbage);
    // The cleaner took away meanwhile what had expired.
    if (stored.code() == StatusCode::kNotFound) continue;
    if (!stored.ok()) return stored.status();
    goes_on = visit(key, *stored);
  }
  return goes_on;
}

Result<bool> DpmEngine::GetRowInfo(const KeyView& row, RowInfo& info) {
  RowInfo counted;
  Pattern all = Pattern::Row(std::string(row.row));
  all.set_bucket(row.bucket);
  const auto count = [&](const KeyView& key, const StoredObject& stored) {
    if (key.has_column) {
      ++counted.columns;
    } else {
      counted.has_object = true;
    }
    counted.user_bytes += stored.meta_bytes + stored.data_bytes;
    return true;
  };
  CIREIN_RETURN_IF_ERROR(WalkRow(row, all, std::nullopt, Load::kSizes, count).status());
  if (!counted.has_object && counted.columns == 0) return false;
  counted.availability = where();
  info = counted;
  return true;
}

void DpmEngine::CollectSlot(std::uint16_t slot, std::vector<RowName>& rows) {
  const bool overlaid = cache_.HasUnmerged(slot);
  const auto add = [&](Bucket bucket, std::string_view row) {
    const KeyView key(bucket, row);
    // Columns of a row come one after the other.
    if (!rows.empty() && rows.back().bucket == bucket && rows.back().name == row) return;
    rows.push_back({PlaceOf(key), bucket, std::string(row)});
  };
  pool_->index().WalkSlot(slot, [&](const Index::Found& found) {
    if (found.entry.kind() != EntryKind::kObject) return true;
    if (overlaid) {
      const KeyView key = found.entry.key();
      const CacheRecord* own = cache_.Find(key, KeyCache::HashOf(key));
      if (own != nullptr && cache_.IsUnmerged(*own)) return true;
    }
    if (!IsHidden(found.entry) && !IsOver(found, slot)) {
      add(found.entry.bucket(), found.entry.row());
    }
    return true;
  });
  for (CacheRecord* own = cache_.FirstUnmerged(slot); own != nullptr;
       own = cache_.NextUnmerged(own)) {
    See(*own);
    if (own->gone || IsHidden(*own) || Expired(own->expiry_ms, slot)) continue;
    if (!row_facts_.empty() && Expired(RowExpiryOf({own->bucket, own->row()}), slot)) continue;
    add(Bucket(own->bucket), own->row());
  }
}

Result<Engine::RowPage> DpmEngine::Rows(const RowName& from, const Pattern& pattern,
                                        std::size_t max_rows) {
  Garbage garbage;
  BeginCall(garbage);
  const auto order = [](const RowName& a, const RowName& b) {
    return std::tie(a.place, a.bucket, a.name) < std::tie(b.place, b.bucket, b.name);
  };
  const auto same = [](const RowName& a, const RowName& b) {
    return a.place == b.place && a.bucket == b.bucket && a.name == b.name;
  };
  const std::uint32_t slots = kSlotCount / options_.shards;
  const std::uint32_t first = options_.shard * slots;
  RowPage page;
  std::size_t looked_at = 0;
  const ReadEpochs::Guard guard(reader_);
  for (std::uint32_t slot =
           std::max(first, static_cast<std::uint32_t>(from.place >> (64 - kSlotBits)));
       slot < first + slots; ++slot) {
    std::vector<RowName> rows;
    CollectSlot(static_cast<std::uint16_t>(slot), rows);
    std::sort(rows.begin(), rows.end(), order);
    rows.erase(std::unique(rows.begin(), rows.end(), same), rows.end());
    for (auto row = std::lower_bound(rows.begin(), rows.end(), from, order); row != rows.end();
         ++row) {
      if (looked_at++ == max_rows) {
        page.next = std::move(*row);
        return page;
      }
      if (row->bucket == pattern.bucket() && pattern.MatchesRow(row->name)) {
        page.rows.push_back(std::move(*row));
      }
    }
  }
  return page;
}

bool DpmEngine::Sweep(std::size_t max_rows, Garbage& garbage) {
  cache_.Merged(log_->merged(), SIZE_MAX, garbage);
  // The cleaner makes room of what has expired; a view of it would keep its extent.
  const auto expired = [this](const CacheRecord& record) {
    return Expired(record.expiry_ms, record.slot);
  };
  if (expiring_) cache_.DropExpired(expired, max_rows, garbage);
  return DropExpiredRows(max_rows, garbage) || expiring_;
}

Engine::Stats DpmEngine::GetStats() const {
  Stats stats = stats_;
  stats.used_bytes = cache_.used_bytes();
  if (options_.shard == 0) {
    const Index::Stats index = pool_->index().GetStats();
    stats.objects = index.keys;
    stats.rows = index.rows;
  }
  return stats;
}

}  // namespace cirein::node
