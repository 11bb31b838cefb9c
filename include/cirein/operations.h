// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/data_object.h"
#include "cirein/deadline.h"
#include "cirein/key.h"
#include "cirein/pattern.h"
#include "cirein/status.h"

/// What the operations of a pool are asked and what they answer; pool.h has the operations.
namespace cirein {

/// One total order of the values a key has had: epoch of the owner's grant, then a counter. The
/// zero version is that of an object that is not there.
struct Version {
  std::uint64_t epoch = 0;
  std::uint64_t counter = 0;
  friend auto operator<=>(const Version&, const Version&) = default;
  std::string ToString() const;
};

/// Where an object is, seen from the caller.
enum class Availability : std::uint8_t {
  kUnavailable,       ///< Not there.
  kRequested,         ///< Not there, and somebody waits for it.
  kMixed,             ///< Of a row: its objects are in several places.
  kLocalMemory,       ///< In the memory of this process.
  kRemoteMemory,      ///< In the memory of another node.
  kPersistentMemory,  ///< In the disaggregated memory pool.
  kDisk,              ///< In a backing store only.
};
std::string_view AvailabilityName(Availability availability);

struct ObjectInfo {
  std::uint64_t meta_bytes = 0;
  std::uint64_t data_bytes = 0;
  Version version = {};
  Availability availability = Availability::kUnavailable;
  /// How long the object has still to live; nullopt: until it is dropped.
  std::optional<std::chrono::nanoseconds> ttl = std::nullopt;
};

struct RowInfo {
  std::uint64_t columns = 0;     ///< Columns with an object; the object without column not counted.
  bool has_object = false;       ///< Is there an object without column?
  std::uint64_t user_bytes = 0;  ///< Meta and data of all objects of the row.
  Availability availability = Availability::kUnavailable;
};

/// May a publish replace what is there?
enum class Overwrite : std::uint8_t {
  kPoolDefault,  ///< As the pool's behaviour says: no, unless EnableOverwrites.
  kNo,           ///< Write-once: AlreadyExists if somebody published before.
  kYes,
};

struct PublishOptions {
  Overwrite overwrite = Overwrite::kPoolDefault;
  /// The object is gone this long after the publish; must be positive.
  std::optional<std::chrono::nanoseconds> ttl = std::nullopt;
  /// Publish only if this is the version that is there now (Version{} for: nothing is there), and
  /// then replace it whatever `overwrite` says; FailedPrecondition otherwise.
  std::optional<Version> if_version = std::nullopt;
  Deadline deadline = {};
};

/// An object and the key it is to be published under: one of a batch, or of a group.
struct PublishItem {
  Key key;
  DataObject object;
};

/// The most objects that one group may publish.
inline constexpr std::size_t kMaxGroupItems = 4096;

struct WantOptions {
  /// When it passes, the callback gets DeadlineExceeded.
  Deadline deadline = {};
};

struct NeedOptions {
  Deadline deadline = {};
};

struct ListOptions {
  static constexpr std::uint32_t kDefaultPageSize = 1'000;
  static constexpr std::uint32_t kMaxPageSize = 10'000;
  /// Objects per page, 1 to kMaxPageSize.
  std::uint32_t page_size = kDefaultPageSize;
  /// Empty for the first page, then the last page's `next`. Text that may be kept and sent; one
  /// that this pool did not make is InvalidArgument.
  std::string cursor = {};
  Deadline deadline = {};
};

struct ListedObject {
  Key key;
  std::uint64_t meta_bytes = 0;
  std::uint64_t data_bytes = 0;
  Version version = {};
};

/// One page of a listing. An object that is there during the whole listing is in exactly one page;
/// one that comes or goes meanwhile may or may not be. Order is unspecified but for the columns of
/// a row, which come sorted, the object without column first.
struct ListPage {
  std::vector<ListedObject> objects;
  std::string next;  ///< Cursor of the next page; empty after the last one.
};

/// An object with its name: what a Want answers.
struct NamedObject {
  Key key;
  DataObject object;
  ObjectInfo info;
};

/// Callbacks run on the library's callback threads, never under a lock and never on a shard's
/// thread; one that throws is logged and counted; one that blocks delays others only until the
/// library starts another thread (up to a bound). Each is called exactly once. A call that cannot
/// be begun at all (no pool, bad arguments, too many operations) may answer on the calling thread.
using PublishCallback = std::function<void(Result<ObjectInfo>)>;
/// One for each item, in their order.
using GroupCallback = std::function<void(Result<std::vector<ObjectInfo>>)>;
using WantCallback = std::function<void(Result<NamedObject>)>;
using DropCallback = std::function<void(Result<std::uint64_t>)>;  ///< How many objects are gone.
using InfoCallback = std::function<void(Result<ObjectInfo>)>;
using RowInfoCallback = std::function<void(Result<RowInfo>)>;
using ListCallback = std::function<void(Result<ListPage>)>;
using ComputeCallback = std::function<void(Result<DataObject>)>;

/// A handle over an operation under way. Dropping it changes nothing: the operation goes on.
/// Thread-safe; copies share the operation.
class Operation {
 public:
  class Impl {
   public:
    virtual ~Impl() = default;
    virtual bool Cancel() = 0;
    virtual bool done() const = 0;
  };

  Operation() = default;  ///< An operation that is over.
  explicit Operation(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  /// Gives the operation up: true when it was not over, and its callback will get Cancelled; false
  /// when it has been answered already (the callback may still be about to run).
  bool Cancel() { return impl_ && impl_->Cancel(); }
  bool done() const { return !impl_ || impl_->done(); }

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace cirein
