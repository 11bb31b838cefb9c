// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cirein/behavior.h"
#include "cirein/operations.h"
#include "cirein/resource_url.h"

namespace cirein {

struct ComputeRequest {
  Pattern pattern;  ///< Its row is exact.
  std::string function;
  std::string args;
};

/// What stands behind a pool handle: one class for each pool type, built in or the user's own.
///
/// The handle has checked keys, patterns, objects and options before it calls. Keys and patterns
/// come without bucket, which means the pool's own, and keys in answers have none either; so a
/// backend can hand them on to another pool as they are. `done` must be called exactly once, on any
/// thread, with no lock held; the handle sees to it that user code runs on a callback thread, that
/// deadlines are kept (it cancels the Operation and forgets the answer), and that everything is
/// answered when the library finishes. Calls come from any thread, and must not block.
///
/// A backend is destroyed when the last handle is gone and its operations are answered: on the
/// thread that lets the handle go, or else on one of the library's; never inside of `done`, so its
/// destructor may wait for the threads that it answers from.
class PoolBackend {
 public:
  virtual ~PoolBackend() = default;

  /// The type in its URL, such as "local".
  virtual std::string_view type() const = 0;

  /// The URL by which another process connects to the same pool; nullopt: the one it was made with.
  virtual std::optional<ResourceUrl> ResolvedUrl() const { return std::nullopt; }

  virtual Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                            PublishCallback done) = 0;
  /// Publishes all of the items or none, as one: see Pool::PublishGroup. They are of one row, no
  /// key stands twice, and the options have no if_version. A pool that cannot leaves this as it is,
  /// and says Unimplemented.
  virtual Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                                 GroupCallback done);
  /// `done` gets the object as soon as one matches `pattern`: see Pool::Want.
  virtual Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) = 0;
  /// A Want whose answer nobody takes. A backend whose objects are elsewhere keeps what came for the
  /// next TryNeed of its key, once, and for a bounded time; the others leave this as it is.
  virtual Operation FetchAhead(const Pattern& pattern, const WantOptions& options,
                               WantCallback done) {
    return Want(pattern, options, std::move(done));
  }
  virtual Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) = 0;
  virtual Operation Info(const Key& key, Deadline deadline, InfoCallback done) = 0;
  /// Of the key, only the row counts.
  virtual Operation GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) = 0;
  virtual Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) = 0;
  virtual Operation Compute(const ComputeRequest& request, Deadline deadline,
                            ComputeCallback done) = 0;

  /// Short cuts for a backend that can answer at once on the caller's thread, asked first by the
  /// blocking calls. nullopt: it cannot, and has done nothing; the asynchronous form is called
  /// next. `object` is taken only by an answer.
  virtual std::optional<Result<ObjectInfo>> TryPublish(const Key& key, DataObject& object,
                                                       const PublishOptions& options);
  virtual std::optional<Result<DataObject>> TryNeed(const Key& key);
};

/// What a pool type's factory is given.
struct PoolContext {
  /// The URL with its bucket filled in.
  ResourceUrl url;
  /// From the URL's `behavior` option, for a type that takes one; nullopt: the type's own default.
  std::optional<Behavior> behavior;
};

using PoolFactory = std::function<Result<std::shared_ptr<PoolBackend>>(const PoolContext&)>;

/// A pool type: its URL scheme (letters, digits, '-' and '_', beginning with a letter), a sentence
/// for people, the URL options it takes besides the common ones (bucket and behavior), and what
/// makes a backend.
struct PoolType {
  std::string name;
  std::string description;
  std::vector<std::string> options;
  PoolFactory factory;
};

/// Makes a pool type known in this process; AlreadyExists when the name is taken. Thread-safe; may
/// be called before Start and at any time.
Status RegisterPoolType(PoolType type);

/// Sorted names of the pool types that are known.
std::vector<std::string> PoolTypeNames();

}  // namespace cirein
