// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cirein/compute.h"
#include "cirein/operations.h"
#include "cirein/resource_url.h"
#include "cirein/result_collector.h"

namespace cirein {

/// A handle to a pool: a named collection of nodes that keep objects, with one rule for who keeps
/// what. Get one from Connect. Copies share the connection; all calls are thread-safe.
///
/// Each operation has a blocking form that returns its result, and asynchronous forms that take a
/// callback or a ResultCollector and return an Operation, which can be cancelled. Blocking forms
/// wait at most until their deadline, and may be called from callbacks too.
/// Common errors: InvalidArgument (a key, pattern or option that cannot be), DeadlineExceeded,
/// ResourceExhausted (a limit is reached), Unavailable (the library was finished, or the pool's
/// nodes cannot be reached).
class Pool {
 public:
  /// No pool: every call fails with FailedPrecondition.
  Pool() = default;

  /// Can it be used?
  bool valid() const noexcept { return state_ != nullptr; }
  /// The URL that Connect resolved: bucket and options filled in. Another process can connect to it
  /// if the pool type is one that others can reach.
  const ResourceUrl& url() const;
  std::string_view type() const;
  Bucket bucket() const;

  /// Stores the object under its key and answers everybody who waits for it. Write-once unless
  /// options or the pool say otherwise: AlreadyExists, and the old object stays. The pool shares
  /// the body; do not write to it afterwards.
  Result<ObjectInfo> Publish(const Key& key, DataObject object,
                             const PublishOptions& options = {}) const;
  // A template, so that a list of options in braces is never taken for a callback.
  template <std::invocable<Result<ObjectInfo>> Callback>
  Operation Publish(const Key& key, DataObject object, Callback done,
                    const PublishOptions& options = {}) const {
    return PublishThen(key, std::move(object), PublishCallback(std::move(done)), options);
  }
  Operation Publish(const Key& key, DataObject object, ResultCollector& collector,
                    const PublishOptions& options = {}) const;

  /// Publishes 1 to kMaxGroupItems objects of one row as one: all or none, and nobody ever sees a
  /// part of them, also after a crash where the pool keeps its objects. In the order of the items
  /// their versions follow each other, and each is told about in its place. Options count for each
  /// as they do for Publish: one object that a write-once pool has already refuses the whole group.
  /// InvalidArgument also for keys of several rows, for a key that stands twice, and for
  /// if_version, which is of one object; Unimplemented where the pool type cannot.
  Result<std::vector<ObjectInfo>> PublishGroup(std::vector<PublishItem> items,
                                               const PublishOptions& options = {}) const;
  template <std::invocable<Result<std::vector<ObjectInfo>>> Callback>
  Operation PublishGroup(std::vector<PublishItem> items, Callback done,
                         const PublishOptions& options = {}) const {
    return PublishGroupThen(std::move(items), GroupCallback(std::move(done)), options);
  }

  /// Calls back once, with the object, when it exists or as soon as it does. `what` is a key, the
  /// columns of one row with a prefix, or all rows with a prefix; of several candidates any one is
  /// given. Without a callback the object is only fetched ahead, for the next Need of its key, which
  /// then gives it as it was when it was fetched, without asking for it again: what others change
  /// within the next minute that Need does not see.
  Operation Want(const Pattern& what, WantCallback done = {},
                 const WantOptions& options = {}) const;
  Operation Want(const Pattern& what, ResultCollector& collector,
                 const WantOptions& options = {}) const;

  /// The object, waiting for it to be published if need be.
  Result<DataObject> Need(const Key& key, const NeedOptions& options = {}) const;

  /// Removes what matches and says how many objects that were. Those who wait go on waiting for the
  /// next publish. A pattern with a row prefix is carried out row by row, not at one instant.
  Result<std::uint64_t> Drop(const Pattern& what, Deadline deadline = {}) const;
  Operation Drop(const Pattern& what, DropCallback done, Deadline deadline = {}) const;
  Operation Drop(const Pattern& what, ResultCollector& collector, Deadline deadline = {}) const;

  /// Size, version and whereabouts now, without waiting for a publish; NotFound when there is none.
  Result<ObjectInfo> Info(const Key& key, Deadline deadline = {}) const;
  Operation Info(const Key& key, InfoCallback done, Deadline deadline = {}) const;

  /// The same of a whole row (`key`'s column is ignored); NotFound when it holds nothing.
  Result<cirein::RowInfo> RowInfo(const Key& key, Deadline deadline = {}) const;

  /// One page of the keys and sizes that match.
  Result<ListPage> List(const Pattern& what, const ListOptions& options = {}) const;

  /// Runs a registered function at the owner of a row over the objects there that match (it waits
  /// for none) and gives its result. NotFound when no object matches or the name is unknown; the
  /// function's own error otherwise. A function that outlasts the deadline goes on alone, and its
  /// caller gets DeadlineExceeded.
  Result<DataObject> Compute(const Pattern& row_pattern, std::string_view function,
                             std::string_view args = {}, Deadline deadline = {}) const;
  Operation Compute(const Pattern& row_pattern, std::string_view function, std::string_view args,
                    ComputeCallback done, Deadline deadline = {}) const;
  Operation Compute(const Pattern& row_pattern, std::string_view function, std::string_view args,
                    ResultCollector& collector, Deadline deadline = {}) const;

  /// Batches: one result for each item, in order. The deadline is for the batch as a whole.
  std::vector<Result<ObjectInfo>> PublishAll(std::span<const PublishItem> items,
                                             const PublishOptions& options = {}) const;
  std::vector<Result<DataObject>> NeedAll(std::span<const Key> keys,
                                          const NeedOptions& options = {}) const;
  std::vector<Result<ObjectInfo>> InfoAll(std::span<const Key> keys, Deadline deadline = {}) const;

  /// Handles are equal when they share the connection.
  friend bool operator==(const Pool& a, const Pool& b) noexcept { return a.state_ == b.state_; }

  class State;

 private:
  friend Result<Pool> Connect(const ResourceUrl& url);
  Operation PublishThen(const Key& key, DataObject object, PublishCallback done,
                        const PublishOptions& options) const;
  Operation PublishGroupThen(std::vector<PublishItem> items, GroupCallback done,
                             const PublishOptions& options) const;
  explicit Pool(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// Connects to the pool a URL names. A second Connect to the same URL shares the first's
/// connection. Errors: FailedPrecondition before Start; InvalidArgument for a URL or option that
/// cannot be; NotFound for a pool type nobody registered.
Result<Pool> Connect(const ResourceUrl& url);
Result<Pool> Connect(std::string_view url);

}  // namespace cirein
