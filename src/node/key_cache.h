// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "cirein/operations.h"

#include "dpm/location.h"
#include "node/cache_policy.h"
#include "object/engine.h"
#include "object/key_view.h"

namespace cirein::node {

/// What a shard knows of one key: where its newest entry is (a shortcut), and maybe the object.
/// While an own write is not merged the index does not lead to it, so its record stays.
///
/// The record of a row's object without column, there or not, is the row's *anchor*: it may know
/// how many columns the row has.
///
/// What a read needs stands last, next to the key, which follows the record: a value hit touches
/// one or two cache lines here.
struct CacheRecord {
  static constexpr std::uint32_t kUnknown = UINT32_MAX;

  CacheRecord* round_next = nullptr;  ///< The policy's round, of all records.
  CacheRecord* round_previous = nullptr;
  CacheRecord* slot_next = nullptr;  ///< The slot's writes, KeyCache::FirstUnmerged.
  CacheRecord* slot_previous = nullptr;
  dpm::Location location;        ///< Of the newest entry.
  std::uint64_t generation = 0;  ///< Of the entry's segment when the location was learnt.

  std::uint64_t ordinal = 0;  ///< Of the entry in the shard's log, if it is an own write.
  std::uint64_t epoch = 0;    ///< With the counter, the newest entry's version.
  std::uint64_t counter = 0;
  DataObject value;             ///< Null: only a shortcut.
  std::uint64_t expiry_ms = 0;  ///< Wall time; 0: never.
  std::uint32_t bucket = 0;
  std::uint32_t columns = kUnknown;  ///< Of an anchor: columns of the row that have an object.
  std::uint16_t row_bytes = 0;
  std::uint16_t column_bytes = 0;
  std::uint16_t slot = 0;
  bool has_column : 1 = false;
  bool gone : 1 = false;     ///< There is no object: the newest entry says so, or there is none.
  bool linked : 1 = false;   ///< Among its slot's writes.
  bool passing : 1 = false;  ///< The value is here only until it is kept, not for keeping.
  bool lost_column : 1 = false;  ///< Of an anchor: a column was dropped.
  bool used : 1 = false;         ///< Since the policy last asked.

  /// Worth keeping though there is no object.
  bool counts_columns() const noexcept { return columns != kUnknown && columns != 0; }
  Version version() const noexcept { return {epoch, counter}; }
  void set_version(Version version) noexcept {
    epoch = version.epoch;
    counter = version.counter;
  }
  std::string_view row() const noexcept { return {name(), row_bytes}; }
  std::string_view column() const noexcept { return {name() + row_bytes, column_bytes}; }

 private:
  friend class KeyCache;
  const char* name() const noexcept { return reinterpret_cast<const char*>(this + 1); }
  char* name() noexcept { return reinterpret_cast<char*>(this + 1); }
};
static_assert(kMaxRowBytes <= UINT16_MAX && kMaxColumnBytes <= UINT16_MAX);

/// A shard's records, in one table: within a budget of DRAM those that the policy keeps, and beyond
/// it, if it must be, those of writes that are not merged (of which there are never more than the
/// unmerged segments hold).
///
/// Not thread-safe: the shard's. Objects that are let go are put into `garbage`.
class KeyCache {
 public:
  /// For keys of `slots` slots that follow one another, the first a multiple of it.
  KeyCache(std::uint64_t budget_bytes, std::uint32_t slots, std::unique_ptr<CachePolicy> policy);
  ~KeyCache();
  KeyCache(const KeyCache&) = delete;
  KeyCache& operator=(const KeyCache&) = delete;

  static std::uint64_t HashOf(const KeyView& key) noexcept;
  /// Null when there is none.
  CacheRecord* Find(const KeyView& key, std::uint64_t hash) const;
  /// Ask memory for what Find will read first; then, when that is there, for the record; then for
  /// its value. Nothing waits for memory if enough else is done in between.
  void PrefetchPlace(std::uint64_t hash) const { records_.prefetch(Sought{nullptr, hash}); }
  void PrefetchRecord(std::uint64_t hash) const;
  void PrefetchValue(std::uint64_t hash) const;
  /// The key's record, made if there is none.
  CacheRecord* FindOrMake(const KeyView& key, std::uint64_t hash, std::uint16_t slot);

  /// Sets the record's value, or takes it away (null).
  void SetValue(CacheRecord* record, DataObject value, Garbage& garbage);
  bool Admits(const DataObject& object) const;

  /// The record is of an own write now, the `ordinal`-th, which the index does not know; what the
  /// write says of `gone` and `passing` is set.
  void SetUnmerged(CacheRecord* record, std::uint64_t ordinal);
  /// Of the own writes up to this one the index leads to all; what is to be done for some of them
  /// is done for no more than `max_writes`, and the others count as unmerged for so long.
  void Merged(std::uint64_t ordinal, std::size_t max_writes, Garbage& garbage);
  bool IsUnmerged(const CacheRecord& record) const noexcept { return record.ordinal > merged_; }
  /// The slot's unmerged writes, null at the end. Merging a write does not touch its record: what
  /// is merged leaves the slot's list when somebody comes by here, or with the record.
  CacheRecord* FirstUnmerged(std::uint16_t slot);
  /// Passes nothing by.
  bool HasUnmerged(std::uint16_t slot) const {
    return !slots_.empty() && slots_[slot % slot_count_].last_ordinal > merged_;
  }
  CacheRecord* NextUnmerged(CacheRecord* record) { return Unmerged(record->slot_next); }

  /// Takes the values of what `expired` says of away, looking at no more than `max_records`; goes
  /// round.
  void DropExpired(const std::function<bool(const CacheRecord&)>& expired, std::size_t max_records,
                   Garbage& garbage);

  /// Forgets a record that is not unmerged.
  void Erase(CacheRecord* record, Garbage& garbage);
  /// Makes room, if the budget is exceeded: at least as much as was added since the last call,
  /// unless all of it must stay. Values of own writes after the `kept`-th do.
  void Shrink(std::uint64_t kept, Garbage& garbage);

  std::uint64_t used_bytes() const noexcept { return used_bytes_; }
  std::size_t size() const noexcept { return records_.size(); }

 private:
  // The hash stands in the table too: neither a key that is not there nor a table that grows
  // touches a record.
  struct Place {
    std::uint64_t hash = 0;  // Of the whole key.
    CacheRecord* record = nullptr;
  };
  struct Sought {
    const KeyView* key = nullptr;  // Null: any with this hash.
    std::uint64_t hash = 0;
  };
  struct Hasher {
    using is_transparent = void;
    std::size_t operator()(const Place& place) const { return place.hash; }
    std::size_t operator()(const Sought& sought) const { return sought.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Place& a, const Place& b) const { return a.record == b.record; }
    bool operator()(const Place& a, const Sought& b) const { return Is(a, b); }
    bool operator()(const Sought& a, const Place& b) const { return Is(b, a); }
  };
  static bool Is(const Place& place, const Sought& sought);
  static std::uint64_t HashOf(const CacheRecord& record) noexcept;
  Place& RecentOf(std::uint64_t hash) const { return recent_[hash % kRecent]; }

  // One after whose merge there is something to do.
  struct UnmergedWrite {
    CacheRecord* record = nullptr;
    std::uint64_t ordinal = 0;
  };

  struct SlotWrites {
    CacheRecord* first = nullptr;    // The latest that was not there before.
    std::uint64_t last_ordinal = 0;  // Of all of them.
  };
  SlotWrites& WritesOf(std::uint16_t slot) { return slots_[slot % slot_count_]; }

  void Unlink(CacheRecord* record);
  // The record, or the first after it in its list, that is unmerged; the ones before leave the
  // list.
  CacheRecord* Unmerged(CacheRecord* record);
  static std::uint64_t BytesOf(const CacheRecord& record);
  static CacheRecord* Make(const Sought& sought, std::uint16_t slot);
  void Free(CacheRecord* record);

  const std::uint64_t budget_bytes_;
  const std::uint32_t slot_count_;
  const std::unique_ptr<CachePolicy> policy_;
  absl::flat_hash_set<Place, Hasher, Equal> records_;
  // Found lately: one operation looks for the same few records several times.
  static constexpr std::size_t kRecent = 8;
  mutable std::array<Place, kRecent> recent_{};
  CacheRecord* hand_ = nullptr;    // The next one to be judged.
  CacheRecord* sweep_ = nullptr;   // The next one that may have expired.
  std::uint64_t added_bytes_ = 0;  // Since the last Shrink.
  std::uint64_t used_bytes_ = 0;
  std::uint64_t merged_ = 0;                   // Own writes up to this one are.
  std::deque<UnmergedWrite> unmerged_writes_;  // Oldest first; some are overwritten since.
  std::vector<SlotWrites> slots_;              // Empty before the first write.
};

}  // namespace cirein::node
