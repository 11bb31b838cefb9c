// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dpm/entry.h"
#include "dpm/location.h"
#include "dpm/read_epochs.h"
#include "region/region.h"

namespace cirein::dpm {

/// The index: from keys to the newest entry of each, one small table of cache-line buckets for each
/// slot, and a nested one for the columns of a row. The P-CLHT family (RECIPE, SOSP 2019): a reader
/// takes no lock, the one writer publishes each change with one 8-byte store, nothing is logged.
///
/// Invariants, at every instant, for readers and (on flushable media, where every body is persisted
/// before the word that leads to it) on the medium:
///  - a cell leads to a whole entry below the mark of its segment, or to a whole row node;
///  - of each key at most one cell; it leads to the entry of the highest version that was applied;
///  - a chain of buckets or a table is replaced by one store of the word that leads to it.
/// So applying an entry again changes nothing, and a crash needs nothing but to apply again what
/// was not yet marked as merged.
///
/// One writer (Apply, Relocate..., Rebuild, Walk...: the DPM's processor); any number of readers,
/// each within a ReadEpochs::Guard of the epochs given at Open.
class Index {
 public:
  struct Options {
    const std::byte* log = nullptr;  ///< The log region's bytes, for entries that cells lead to.
    std::uint64_t segment_bytes = 0;
    std::uint64_t pool_id = 0;
    std::uint64_t segments = 0;
    ReadEpochs* epochs = nullptr;
    /// Persist bodies and links one by one (flushable medium with Durability::kPower); else the
    /// index is only ever persisted as a whole.
    bool persist = false;
  };

  /// Makes an empty index in a region of zeros (or of anything: it is cleared).
  static Result<std::unique_ptr<Index>> Format(std::unique_ptr<Region> region,
                                               const Options& options);
  /// Takes what is there and walks it to learn which lines are in use and what it holds. DataLoss
  /// when something does not fit (wrong header, an offset out of range, two words that lead to one
  /// place): then Format and a rebuild from the log help. Believes nothing, never crashes or hangs
  /// on any bytes.
  static Result<std::unique_ptr<Index>> Open(std::unique_ptr<Region> region,
                                             const Options& options);
  ~Index();

  // ---- The writer ----

  /// What became of an entry that was applied.
  enum class Outcome : std::uint8_t {
    kApplied,   ///< The index leads to it now.
    kStale,     ///< The index leads to a newer one, or the row hides it: dead on arrival.
    kRepeated,  ///< The index leads to this very place already.
    kConflict,  ///< One version from two origins: an invariant is broken (SAFETY 7).
    kNoSpace,   ///< The heap is full; nothing was changed.
  };
  struct Op {
    EntryView entry;
    Location location;
    std::uint64_t row_hash = 0;  ///< Of the key (KeyView::row_hash).
    Outcome outcome = Outcome::kApplied;
  };
  /// Applies entries in order: objects, gone keys and row entries, only forward in version; an
  /// entry that the cleaner copied replaces the one of the same version. `superseded` hears of
  /// every entry that the index stopped leading to (and so is dead now), with its location. Stops
  /// at kNoSpace, with the number done. Looks ahead among the ops to hide cache misses: give it
  /// many.
  using Superseded = std::function<void(Location location, const EntryView& entry)>;
  std::size_t Apply(std::span<Op> ops, const Superseded& superseded);

  /// Takes a gone key, an expired object or a row entry that hides nothing any more out of the
  /// index, if it still leads to this very place. False if not.
  bool Forget(const EntryView& entry, Location location);

  /// Does the index lead to this very place?
  bool LeadsTo(const EntryView& entry, Location location) const;

  /// On flushable media with `persist`: what was stored until now is persistent after it. Else does
  /// nothing.
  Status PersistLinks();
  /// All of the region, before a clean close.
  Status PersistAll();
  /// Frees index memory that readers cannot see any more.
  void Reclaim();

  // ---- Per segment, kept in the index because they are worth just as much ----

  std::uint64_t merged(std::uint64_t segment, std::uint64_t generation) const;
  Status SetMerged(std::uint64_t segment, std::uint64_t generation, std::uint64_t offset);
  /// Adding goes below zero where a crash came between an entry's death and its birth, and in the
  /// middle of a merge; it counts as 0 then.
  std::uint64_t live_bytes(std::uint64_t segment) const;
  void AddLiveBytes(std::uint64_t segment, std::int64_t bytes);
  void SetLiveBytes(std::uint64_t segment, std::uint64_t bytes);

  // ---- Readers ----

  struct Found {
    EntryView entry;
    Location location;
    /// Of the row: the newest kRow entry, if there is one.
    EntryView row_entry;
    /// The row has neither columns nor a kRow entry.
    bool alone = false;
  };
  /// The newest entry of exactly this key (its column, or the object without column), also when it
  /// is a gone one; nullopt when the index knows none. What the row entry hides is not found.
  std::optional<Found> Find(const KeyView& key, std::uint16_t slot) const;
  /// The newest kRow entry of a row, if there is one.
  EntryView FindRowEntry(const KeyView& row, std::uint16_t slot) const;
  /// How many rows have a kRow entry. Any thread, without a guard.
  std::uint64_t row_entries() const noexcept;
  /// All that Find could find in a row, in no order; false when the visitor ended it.
  using Visitor = std::function<bool(const Found&)>;
  bool WalkRow(const KeyView& row, std::uint16_t slot, const Visitor& visit) const;
  /// All of a slot, with kRow entries themselves as well (entry == row_entry). A key that is moved
  /// meanwhile may be seen twice or, if it was not there at begin or end, not at all.
  bool WalkSlot(std::uint16_t slot, const Visitor& visit) const;

  struct Stats {
    std::uint64_t keys = 0;  ///< Cells that lead to entries, gone ones too.
    std::uint64_t rows = 0;  ///< Row nodes.
    std::uint64_t heap_bytes = 0;
    std::uint64_t used_bytes = 0;  ///< In use or waiting for readers to leave.
    std::uint64_t grown_tables = 0;
    std::uint64_t probed_buckets = 0;  ///< By Apply: lines touched.
  };
  Stats GetStats() const;

 private:
  class Impl;
  std::uint64_t RawLiveBytes(std::uint64_t segment) const;
  explicit Index(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cirein::dpm
