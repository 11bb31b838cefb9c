// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
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
/// The handle has checked keys, patterns and options before it calls, has filled in the bucket, and
/// has replaced default deadlines. `done` must be called exactly once, on any thread, with no lock
/// held; the handle sees to it that user code runs on a callback thread. Calls come from any thread.
class PoolBackend {
 public:
  virtual ~PoolBackend() = default;

  /// The type in its URL, such as "local".
  virtual std::string_view type() const = 0;

  virtual Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                            PublishCallback done) = 0;
  /// `done` gets the object as soon as one matches `pattern`, which is a key, a column prefix in one
  /// row, or a row prefix.
  virtual Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) = 0;
  virtual Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) = 0;
  virtual Operation Info(const Key& key, Deadline deadline, InfoCallback done) = 0;
  virtual Operation GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) = 0;
  virtual Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) = 0;
  virtual Operation Compute(const ComputeRequest& request, Deadline deadline,
                            ComputeCallback done) = 0;

  /// The blocking forms that matter for speed. The defaults call the asynchronous ones and wait; a
  /// backend that can answer at once overrides them.
  virtual Result<ObjectInfo> PublishBlocking(const Key& key, DataObject object,
                                             const PublishOptions& options);
  virtual Result<DataObject> NeedBlocking(const Key& key, const NeedOptions& options);
};

/// What a pool type's factory is given.
struct PoolContext {
  /// The URL with its bucket filled in.
  ResourceUrl url;
  /// From the URL's `behavior` option, else the type's own default.
  std::optional<Behavior> behavior;
};

using PoolFactory = std::function<Result<std::shared_ptr<PoolBackend>>(const PoolContext&)>;

/// A pool type: its URL scheme, a sentence for people, the URL options it takes besides the common
/// ones (bucket, behavior, iom), and what makes a backend.
struct PoolType {
  std::string name;
  std::string description;
  std::vector<std::string> options;
  PoolFactory factory;
};

/// Makes a pool type known in this process; AlreadyExists when the name is taken. Thread-safe.
Status RegisterPoolType(PoolType type);

/// Sorted names of the pool types that are known.
std::vector<std::string> PoolTypeNames();

}  // namespace cirein
