// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cirein/backing_store.h"

#include "object/store.h"
#include "object/striped_store.h"
#include "runtime/clock.h"
#include "runtime/executor.h"

namespace cirein {

/// The operations on a bucket whose objects are in memory, in a store behind it, or in both. Memory
/// goes first: what is there is the object. What is not is looked for in the store.
///
/// Invariants, per key:
///  1. One operation on a row at a time looks at both or changes one, under the row's lock. So two
///     publishers are in an order, and nobody reads in what was just dropped.
///  2. A publish that is to be in the store is in memory, and answered, only after it is there. A
///     write that fails leaves memory as it was, or without its copy where the store may have
///     either.
///  3. A want is parked in memory before the store is looked into, and what is found there passes
///     through memory, which answers all who wait.
///
/// Thread-safe. What returns a result blocks for the store; what has a `done` does so on the
/// executor. Answers are given with no lock held.
class BackedBucket {
 public:
  /// `memory` owns it (Back); `clock` and `executor`, which may block, outlive it. `name` is for
  /// messages.
  BackedBucket(StripedStore& memory, Bucket bucket, std::string name,
               std::shared_ptr<BackingStore> backing, const Clock& clock, Executor& executor)
      : memory_(memory),
        bucket_(bucket),
        name_(std::move(name)),
        clock_(clock),
        executor_(executor),
        backing_(std::move(backing)) {}

  const std::string& name() const noexcept { return name_; }
  /// From now on objects that are read from the store stay in memory, while there is room.
  void KeepWhatIsRead() noexcept { read_stays_ = true; }
  /// Has `work` run where it may block. Errors as Executor::Submit.
  Status Submit(std::function<void()> work);
  /// The store is let go; later calls that need it are Unavailable.
  void Close();

  Result<ObjectInfo> Publish(const KeyView& key, PutRequest&& request);
  void Publish(const KeyView& key, PutRequest&& request, const PublishCallback& done);
  void PublishGroup(std::vector<PutItem> items, const GroupCallback& done);
  Result<DataObject> Get(const KeyView& key);
  Operation Want(const Pattern& pattern, TimePoint end, WantCallback done);
  Result<std::uint64_t> Drop(const Pattern& pattern, TimePoint end);
  void Drop(const Pattern& pattern, TimePoint end, const DropCallback& done);
  Result<ObjectInfo> Info(const KeyView& key);
  Result<RowInfo> GetRowInfo(const KeyView& row);
  /// First what the store has, then what is in memory alone.
  Result<ListPage> List(const Pattern& pattern, const ListOptions& options);
  /// What matches in a row, in the order of its columns.
  Status Collect(const Pattern& pattern, std::vector<NamedObject>* objects);

 private:
  class StoreWant;

  Result<std::shared_ptr<BackingStore>> backing() const;
  std::mutex& RowLock(const KeyView& key) { return row_locks_[key.row_hash % row_locks_.size()]; }
  template <typename Operate>
  auto InMemory(const KeyView& key, const Operate& operate);
  /// The same for a change, which waits for copies that were lent before the bucket had a store.
  /// `operate` may be called again, and goes on where a recall stopped it.
  template <typename Operate>
  auto ChangeInMemory(const KeyView& key, Effects& effects, const Operate& operate);

  Key InBucket(const KeyView& key) const { return key.ToKey().set_bucket(bucket_); }
  bool Expired(std::uint64_t expiry_ms) const;
  std::uint64_t ToWall(TimePoint expires) const;
  TimePoint FromWall(std::uint64_t expiry_ms) const;
  ObjectInfo InfoOf(const BackedFacts& facts) const;

  // Under the row's lock.
  Status Allow(BackingStore& backing, const KeyView& key, const PutRequest& request);
  Result<std::vector<ObjectInfo>> Put(std::span<PutItem> items, Effects& effects);
  Status WriteBacked(BackingStore& backing, std::span<const PutItem> items, Effects& effects);
  Result<std::vector<ObjectInfo>> PutInMemory(std::span<PutItem> items, Effects& effects);
  Result<std::uint64_t> DropRow(BackingStore& backing, const KeyView& row, const Pattern& pattern,
                                Effects& effects);

  Result<std::vector<ObjectInfo>> PutItems(std::span<PutItem> items);
  /// The object, from memory or else from the store; nullopt: it is in neither.
  Result<std::optional<NamedObject>> ReadIn(const KeyView& key);
  Status LookFor(const Pattern& pattern, const Operation& parked);
  Result<std::uint64_t> DropWholeRow(const KeyView& row, const Pattern& pattern);
  Result<ListPage> ListBacked(const Pattern& pattern, const ListOptions& options,
                              std::string_view cursor);

  StripedStore& memory_;
  const Bucket bucket_;
  const std::string name_;
  const Clock& clock_;
  Executor& executor_;
  std::atomic<bool> read_stays_{false};
  std::array<std::mutex, 64> row_locks_;
  mutable std::mutex mutex_;
  std::shared_ptr<BackingStore> backing_;  ///< Null once closed. Guarded by mutex_.
};

}  // namespace cirein
