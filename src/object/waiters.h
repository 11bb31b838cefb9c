// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include "cirein/operations.h"

#include "object/key_view.h"

namespace cirein {

/// Someone who waits for an object: parked in one waiter table, or, for a row prefix, in one of
/// each partition. Whoever claims it first answers it; so it is answered exactly once, however
/// publishes, deadlines, cancels and the end of the library race.
class Waiter {
 public:
  /// `done` runs on the thread that claims, with no lock held: it must be short and must not be
  /// user code.
  explicit Waiter(WantCallback done) : done_(std::move(done)) {}
  virtual ~Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  bool Claim() noexcept { return !claimed_.exchange(true, std::memory_order_acq_rel); }
  bool claimed() const noexcept { return claimed_.load(std::memory_order_acquire); }
  /// Leaves every table it is still parked in. By who claimed it, with no lock held.
  virtual void Withdraw() = 0;
  /// Once, by who claimed it.
  void Answer(Result<NamedObject> result) {
    WantCallback done = std::move(done_);
    done_ = nullptr;
    if (done) done(std::move(result));
  }

 private:
  std::atomic<bool> claimed_{false};
  WantCallback done_;
};

struct WaiterGroup;

/// A waiter's place in one table, usually a member of the waiter. Guarded like the table.
struct Seat {
  std::shared_ptr<Waiter> waiter;  ///< Keeps the waiter alive while it is parked here.
  WaiterGroup* group = nullptr;    ///< Null: not parked.
  std::uint32_t index = 0;
};

/// Those who wait for one pattern in one partition.
struct WaiterGroup {
  Pattern pattern;
  std::vector<Seat*> seats;
};

/// The waiters of one partition, found by the key that is published. Exact keys take one probe; a
/// publish pays for prefix waiters only while there are some, and then by the number of different
/// lengths of their prefixes, not by their number.
/// Not thread-safe; guarded like the partition. Seats are the caller's, and stay where they are
/// until they are unparked or collected.
class WaiterTable {
 public:
  WaiterTable() = default;
  WaiterTable(const WaiterTable&) = delete;
  WaiterTable& operator=(const WaiterTable&) = delete;

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  void Park(const Pattern& pattern, Seat& seat, std::shared_ptr<Waiter> waiter);
  /// Gives back what the seat held, to be dropped outside of the partition; null for a seat that is
  /// not parked.
  std::shared_ptr<Waiter> Unpark(Seat& seat);
  /// Takes everyone out who waits for this key.
  void Collect(const KeyView& key, std::vector<std::shared_ptr<Waiter>>& out);
  /// Takes everyone out.
  void CollectAll(std::vector<std::shared_ptr<Waiter>>& out);
  /// How many wait for exactly this key.
  std::size_t CountFor(const KeyView& key) const;

 private:
  using Waiters = std::vector<std::shared_ptr<Waiter>>;
  using GroupMap = absl::flat_hash_map<std::string, std::unique_ptr<WaiterGroup>>;
  /// How many groups have a prefix of each length.
  using Lengths = absl::btree_map<std::size_t, std::size_t>;

  /// The groups of one row, or of one row prefix, by their column part.
  struct ColumnGroups {
    GroupMap groups;
    Lengths prefix_lengths;
  };
  using RowMap = absl::flat_hash_map<std::string, ColumnGroups>;

  RowMap& RowMapOf(const Pattern& pattern) { return pattern.row_is_prefix() ? prefixes_ : rows_; }
  WaiterGroup& GroupOf(const Pattern& pattern);
  void EraseGroup(const Pattern& pattern);
  void TakeFrom(GroupMap& map, const std::string& name, Waiters& out);
  void CollectColumns(RowMap& map, const std::string& row, const KeyView& key, Waiters& out);

  std::size_t size_ = 0;
  GroupMap exact_;          ///< By bucket, row and column.
  RowMap rows_;             ///< Several columns of one row: by bucket and row.
  RowMap prefixes_;         ///< By bucket and row prefix.
  Lengths prefix_lengths_;  ///< Of prefixes_.
};

}  // namespace cirein
