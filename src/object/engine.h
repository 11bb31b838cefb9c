// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

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
  DataObject object;
  Version version;
  TimePoint expires = kEndOfTime;
};

enum class PutMode : std::uint8_t {
  kWriteOnce,  ///< Only if nothing is there.
  kOverwrite,
  kIfVersion,  ///< Only if `if_version` is there.
};

struct PutRequest {
  DataObject object;
  PutMode mode = PutMode::kWriteOnce;
  Version if_version;
  TimePoint expires = kEndOfTime;
  std::uint32_t keep =
      0;              ///< After it the row has at most this many columns, newest first; 0: any.
  bool store = true;  ///< False: only check and give a version, as write-around does.
};

struct PutOutcome {
  enum class Code : std::uint8_t { kStored, kExists, kVersionDiffers, kFull };
  Code code = Code::kStored;
  /// Of the object stored; when refused, of the one that is there.
  Version version;
};

/// The bytes of one partition: where DRAM and disaggregated memory differ. What an operation means
/// stands in Store; an engine only keeps, finds and walks objects, and hides those that expired.
///
/// To add an engine: derive from this, make it where a StripedStore or node makes its stores, and
/// add it to the list in tests/object/engine_test.cc, which runs every rule here against it.
///
/// Not thread-safe: whoever hosts the partition (a shard's thread, or a stripe's lock) lets in one
/// caller at a time. Calls run to completion and do not block. Views of keys are the caller's.
class Engine {
 public:
  virtual ~Engine() = default;

  /// Takes the object out of the request when it stores it.
  virtual PutOutcome Put(const KeyView& key, PutRequest& request, Garbage& garbage) = 0;
  /// False when nothing is there; `found` is then left alone.
  virtual bool Get(const KeyView& key, StoredObject& found) = 0;
  /// Removes what matches in the row `row` (the pattern's row part is not looked at); how many.
  virtual std::uint64_t Drop(const KeyView& row, const Pattern& pattern, Garbage& garbage) = 0;
  /// False when the row holds nothing.
  virtual bool GetRowInfo(const KeyView& row, RowInfo& info) = 0;

  /// What a walk visits; false ends the walk after this object.
  using Visitor = std::function<bool(const KeyView& key, const StoredObject& stored)>;

  /// Visits the objects of one row that match, the one without column first, then by column;
  /// only those after `after` when given (nullopt inside: after the one without column).
  /// False when the visitor ended it.
  virtual bool WalkRow(const KeyView& row, const Pattern& pattern,
                       const std::optional<std::optional<std::string_view>>& after,
                       const Visitor& visit) = 0;

  /// The names of the rows at or after `from` that match the pattern's row part, in the engine's
  /// own fixed order, at most `max_rows` of them looked at. `next`, if set, is where to go on.
  struct RowName {
    std::uint64_t hash = 0;
    Bucket bucket;
    std::string name;
  };
  struct RowPage {
    absl::InlinedVector<RowName, 4> rows;
    std::optional<RowName> next;
  };
  virtual RowPage Rows(const RowName& from, const Pattern& pattern, std::size_t max_rows) = 0;

  /// Frees expired objects, looking at no more than `max_rows` rows a call; goes round. True when
  /// there are objects that will expire.
  virtual bool Sweep(std::size_t max_rows, Garbage& garbage) = 0;

  struct Stats {
    std::uint64_t rows = 0;
    std::uint64_t objects = 0;
    std::uint64_t used_bytes = 0;  ///< Bodies, keys and tables.
  };
  virtual Stats GetStats() const = 0;
};

}  // namespace cirein
