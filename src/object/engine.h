// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <absl/container/inlined_vector.h>

#include "cirein/operations.h"

#include "object/key_view.h"
#include "runtime/clock.h"

namespace cirein {

/// Bodies that an operation let go. They are freed after the partition has been left, because
/// freeing may be slow and may run the user's release function.
using Garbage = absl::InlinedVector<DataObject, 2>;

/// What is kept under a key.
struct StoredObject {
  DataObject object;  ///< Null when only the sizes were asked for.
  std::uint64_t meta_bytes = 0;
  std::uint64_t data_bytes = 0;
  Version version;
  TimePoint expires = kEndOfTime;
  std::uint64_t expiry_ms = 0;  ///< The same as wall time, exactly as it was given; 0: never.
};

/// What of an object is asked for: an engine whose objects are not in DRAM must work for the body.
enum class Load : std::uint8_t { kObject, kSizes };

enum class PutMode : std::uint8_t {
  kWriteOnce,  ///< Only if nothing is there.
  kOverwrite,
  kIfVersion,  ///< Only if `if_version` is there.
};

/// A row that is kept short is looked through for its oldest column at each publish.
inline constexpr std::uint32_t kMaxKeptColumns = 4096;

struct PutRequest {
  DataObject object;
  PutMode mode = PutMode::kWriteOnce;
  Version if_version;
  TimePoint expires = kEndOfTime;
  /// After it the row has at most this many columns, newest first, up to kMaxKeptColumns; 0: any.
  std::uint32_t keep = 0;
  bool store = true;  ///< False: only check and give a version, as write-around does.
  /// It is to be in the store behind its bucket before it counts. For StripedStore; engines do not
  /// look at it.
  bool to_backing = false;
  /// The version it was promised by an earlier put of this partition that did not store, of a group
  /// all of them; or one of an earlier run, which is taken where the object is not stored. Zero:
  /// the next one. For MemoryEngine alone.
  Version version = {};
  /// What Keeper::Prepare has made of a large object; the engine knows what it is.
  std::shared_ptr<void> prepared;
};

/// One object of a group.
struct PutItem {
  KeyView key;
  PutRequest request;
};

struct PutOutcome {
  enum class Code : std::uint8_t { kStored, kExists, kVersionDiffers, kFull };
  Code code = Code::kStored;
  /// Of the object stored (of a group: of its last one; the others' counters are those just
  /// before); when refused, of the one that is there.
  Version version;
  /// Of a group: which item was refused.
  std::size_t item = 0;
};

/// What there is of a row, expired objects left out.
struct RowState {
  bool has_object = false;    ///< Without column.
  std::uint64_t columns = 0;  ///< Columns with an object.
  /// Of the row as a whole, as wall time; 0: never. Its objects may have expiries of their own.
  std::uint64_t expiry_ms = 0;

  bool exists() const noexcept { return has_object || columns != 0; }
};

/// One change of several that are carried out as one.
struct Change {
  enum class Kind : std::uint8_t {
    kPut,        ///< Replaces what is there.
    kDrop,       ///< One object, if it is there.
    kDropRow,    ///< All objects of the row, and the row's expiry.
    kExpireRow,  ///< The row as a whole is gone at `expiry_ms`; 0: it stays.
  };
  Kind kind = Kind::kPut;
  KeyView key;
  DataObject object = {};
  std::uint64_t expiry_ms = 0;  ///< Wall time; 0: never.
  /// What Keeper::Prepare has made of a large object.
  std::shared_ptr<void> prepared = {};
  /// Of what was put: filled in when it is.
  Version version = {};
};

/// The side of an engine that works beside its partition: brings objects to where they are kept,
/// and knows when they are. An engine that keeps all it has at once has none of these. Thread-safe;
/// never called with a partition's lock held; may outlive its engine.
class Keeper {
 public:
  virtual ~Keeper() = default;

  /// Objects of more data than this are to go through Prepare before they are put.
  virtual std::uint64_t prepare_bytes() const = 0;
  /// Brings a large object to where it will stay, so that the partition is not kept busy with it.
  /// Blocks. If the request is dropped and was not put, `prepared` undoes it.
  virtual Status Prepare(const KeyView& key, PutRequest& request) = 0;

  /// Blocks until all up to `ticket` is kept. An error: it may not be, nothing that is later will
  /// be, and nobody may be told that it is.
  virtual Status Await(std::uint64_t ticket) = 0;
  /// The same without blocking: `done` runs here at once, or later on another thread.
  virtual void WhenKept(std::uint64_t ticket, std::function<void(Status)> done) = 0;
};

/// The bytes of one partition: where DRAM and disaggregated memory differ. What an operation means
/// stands in Store; an engine only keeps, finds and walks objects, and hides those that expired.
///
/// To add an engine: derive from this, make it where a StripedStore or node makes its stores, and
/// add it to the list in tests/object/engine_fixture.h: engine_test.cc runs every rule here against
/// it.
///
/// Not thread-safe: whoever hosts the partition (a shard's thread, or a stripe's lock) lets in one
/// caller at a time. Calls run to completion and block at most for what makes room. Views of keys
/// are the caller's. Errors are those of what the engine stands on (IoError, DataLoss,
/// ResourceExhausted with its reason); an operation on one key or group that fails has changed
/// nothing.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Takes the object out of the request when it stores it.
  virtual Result<PutOutcome> Put(const KeyView& key, PutRequest& request, Garbage& garbage) = 0;
  /// All of the items or none, as one: no reader, and no crash, leaves a part of them. All of one
  /// row, no key twice; `keep` counts when all are stored.
  virtual Result<PutOutcome> PutGroup(std::span<PutItem> items, Garbage& garbage) = 0;
  /// False when nothing is there; `found` is then left alone.
  virtual Result<bool> Get(const KeyView& key, Load load, StoredObject& found) = 0;
  /// Removes what matches in the row `row` (the pattern's row part is not looked at); how many.
  virtual Result<std::uint64_t> Drop(const KeyView& row, const Pattern& pattern,
                                     Garbage& garbage) = 0;
  /// False when the row holds nothing.
  virtual Result<bool> GetRowInfo(const KeyView& row, RowInfo& info) = 0;

  /// What a walk visits; false ends the walk after this object.
  using Visitor = std::function<bool(const KeyView& key, const StoredObject& stored)>;

  /// Visits the objects of one row that match, the one without column first, then by column;
  /// only those after `after` when given (nullopt inside: after the one without column).
  /// False when the visitor ended it.
  virtual Result<bool> WalkRow(const KeyView& row, const Pattern& pattern,
                               const std::optional<std::optional<std::string_view>>& after,
                               Load load, const Visitor& visit) = 0;

  /// The names of the rows at or after `from` that match the pattern's row part, in the order of
  /// their places, at most `max_rows` of them looked at. `next`, if set, is where to go on. A row
  /// of which all has just expired may be among them.
  struct RowName {
    std::uint64_t place = 0;  ///< PlaceOf the row.
    Bucket bucket;
    std::string name;
  };
  struct RowPage {
    absl::InlinedVector<RowName, 4> rows;
    std::optional<RowName> next;
  };
  virtual Result<RowPage> Rows(const RowName& from, const Pattern& pattern,
                               std::size_t max_rows) = 0;
  /// Where a row stands among all rows of all partitions: a hash, whose top bits choose the
  /// partition. Rows of one place come by bucket and name.
  using PlaceOf = std::uint64_t (*)(const KeyView& row);

  /// Frees expired objects, looking at no more than `max_rows` rows a call; goes round. True when
  /// there are objects that will expire.
  virtual bool Sweep(std::size_t max_rows, Garbage& garbage) = 0;

  struct Stats {
    std::uint64_t rows = 0;
    std::uint64_t objects = 0;
    std::uint64_t used_bytes = 0;  ///< Memory: of bodies, keys and tables.
    // How gets were answered, by an engine that caches: with an object it had in memory, with an
    // own write that is not merged yet, by a shortcut to where the object is, or after a look at
    // the index.
    std::uint64_t value_hits = 0;
    std::uint64_t own_writes = 0;
    std::uint64_t shortcut_hits = 0;
    std::uint64_t misses = 0;
  };
  virtual Stats GetStats() const = 0;

  /// Memory is asked for what calls on these rows will read, in passes over all of them, in this
  /// order: for the places to look at, for the keys there, for their objects. Nothing else comes of
  /// it.
  enum class PrefetchPass : std::uint8_t { kPlaces, kKeys, kObjects };
  virtual void Prefetch(const KeyView& row, PrefetchPass pass) const {
    static_cast<void>(row);
    static_cast<void>(pass);
  }

  /// Of a row; one that is not there has nothing.
  virtual Result<RowState> GetRowState(const KeyView& row) = 0;

  /// The changes of one partition.
  struct Part {
    Engine* engine = nullptr;
    absl::InlinedVector<Change*, 2> changes;  ///< In their order.
  };
  /// Carries out changes in several partitions of one host, this engine's among them: all or none,
  /// for readers (who are kept out of all of them) and over a crash. The engines are of one kind
  /// and share their Keeper. InvalidArgument for more than can be one group.
  virtual Status Apply(std::span<Part> parts, Garbage& garbage) = 0;

  /// Where the objects are.
  virtual Availability where() const { return Availability::kLocalMemory; }

  /// How far the Keeper must have come before anybody is told what the calls since the last Take
  /// have written or seen; 0: it has.
  std::uint64_t TakeTicket() noexcept { return std::exchange(ticket_, 0); }

 protected:
  void RaiseTicket(std::uint64_t ticket) noexcept { ticket_ = std::max(ticket_, ticket); }

 private:
  std::uint64_t ticket_ = 0;
};

}  // namespace cirein
