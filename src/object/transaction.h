// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include "object/engine.h"
#include "object/store.h"

namespace cirein {

class StripedStore;

/// Several looks and changes as one: whoever makes it has the partitions of some rows for itself
/// until it ends, sees its own changes, and leaves all of them or none, also over a crash (SAFETY
/// 5). Made by StripedStore::Begin; ended by StripedStore::Commit, or given up with the object.
///
/// Nothing is changed before the commit: what is to be changed stands in a list, which reads look
/// through first. So a transaction that is given up leaves nothing behind.
///
/// Keys, and the rows and columns in them, are the caller's until it has ended; Keep makes a copy
/// that lives as long. Times of expiry are wall time in ms since 1970; 0 is never.
/// Not thread-safe. Reads may block for what the engine blocks for. Errors are the engine's.
class Transaction {
 public:
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // ---- What is there, own changes included; a row must be one of those it was begun for. ----

  Result<RowState> GetRow(const KeyView& row);
  /// False when nothing is there; `found` is then left alone. An object's expiry is its own, not
  /// its row's.
  Result<bool> Get(const KeyView& key, Load load, StoredObject& found);
  /// Visits the objects of the row that match, the one without column first, then by column; only
  /// those after the column `after` when given. The visitor's false ends it; it must not change
  /// anything. What it is given is valid during the visit.
  Status WalkRow(const KeyView& row, const Pattern& pattern,
                 const std::optional<std::string_view>& after, Load load,
                 const Engine::Visitor& visit);
  Status WalkRow(const KeyView& row, Load load, const Engine::Visitor& visit);
  /// Asks memory for what is about to be looked at, all at once.
  void Prefetch(std::span<const KeyView> rows);
  /// Only where it was begun for all rows: names of rows that are there, as Engine::Rows.
  Result<Engine::RowPage> Rows(const Engine::RowName& from, const Pattern& pattern,
                               std::size_t max_rows);

  /// Of a row that is watched (StripedStore::Watch): has it changed since?
  std::uint64_t WatchMark(const KeyView& row);

  /// A row as Rows names it.
  Engine::RowName RowNameOf(const KeyView& row) const;

  // ---- What is to be changed. ----

  /// Replaces what is there.
  void Put(const KeyView& key, DataObject object, std::uint64_t expiry_ms = 0);
  /// A large object that Keeper::Prepare has brought to where it will stay under this key: a Put of
  /// it there takes it. What nobody takes is removed again.
  void Offer(const KeyView& key, const DataObject& object, std::shared_ptr<void> prepared);
  /// One object; nothing happens when it is not there.
  void Drop(const KeyView& key);
  /// All objects of the row, and its expiry, with one entry.
  void DropRow(const KeyView& row);
  /// The row as a whole is gone from then on; 0: it is not to be any more. For a row with columns:
  /// that of an object alone is changed by putting it again.
  void ExpireRow(const KeyView& row, std::uint64_t expiry_ms);
  bool has_changes() const noexcept { return !changes_.empty(); }
  std::size_t change_count() const noexcept { return changes_.size(); }
  /// Data of all that is to be put and that Keeper::Prepare has not brought to its place.
  std::uint64_t unprepared_bytes() const noexcept;
  /// Takes back all changes but the first `count`.
  void RollBack(std::size_t count);

  std::string_view Keep(std::string_view text);

  /// Wall time when it is first asked for; the same from then on.
  std::uint64_t now_ms() const;

 private:
  friend class StripedStore;
  // What this transaction has made of a row.
  struct Overlay;

  explicit Transaction(StripedStore& host);
  Store& StoreOf(const KeyView& row);
  static std::string NameOf(const KeyView& row);
  /// What the changes so far make of a row; null when it has none.
  Result<const Overlay*> OverlayOf(const KeyView& row);
  /// Puts the changes that are not there yet into the overlays.
  Status CatchUp();
  Status Lay(const Change& change);
  /// Rows that were changed and are there now.
  void ForEachChangedRow(const std::function<void(const KeyView& row)>& visit) const;

  StripedStore* host_;
  mutable std::uint64_t now_ms_ = 0;  // 0: not asked for yet.
  // What is let go is freed after the locks are: members end in the reverse of this order.
  absl::InlinedVector<Change, 2> changes_;
  std::size_t overlaid_ = 0;  // So many changes are in the overlays.
  absl::flat_hash_map<std::string, std::unique_ptr<Overlay>> overlays_;
  std::forward_list<std::string> kept_;
  Garbage given_up_;
  struct Offered {
    KeyView key;
    DataObject object;
    std::shared_ptr<void> prepared;
  };
  std::vector<Offered> offered_;
  absl::InlinedVector<std::uint32_t, 2> stripes_;  // Of the locks; ascending.
  absl::InlinedVector<std::unique_lock<std::mutex>, 2> locks_;
};

}  // namespace cirein
