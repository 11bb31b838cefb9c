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
/// patterns for its row and of different lengths of row prefixes, not by the number of waiters.
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
  // Groups of one row name, or of one row prefix; few, because a group has a pattern of its own.
  using Groups = std::vector<std::unique_ptr<WaiterGroup>>;
  using GroupMap = absl::flat_hash_map<std::string, Groups>;

  GroupMap& MapOf(const Pattern& pattern);
  static void Take(WaiterGroup& group, std::vector<std::shared_ptr<Waiter>>& out);
  void CollectMatching(GroupMap& map, const std::string& name, const KeyView& key,
                       std::vector<std::shared_ptr<Waiter>>& out);
  void EraseGroup(GroupMap& map, GroupMap::iterator entry, std::size_t position);
  void ForgetPrefix(const WaiterGroup& group);

  std::size_t size_ = 0;
  GroupMap exact_;     ///< By bucket, row and column.
  GroupMap rows_;      ///< Several columns of one row: by bucket and row.
  GroupMap prefixes_;  ///< By bucket and row prefix.
  absl::btree_map<std::size_t, std::size_t> prefix_lengths_;  ///< How many groups have each.
};

}  // namespace cirein
