// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "dpm/index_counter.h"
#include "dpm/index_memory.h"
#include "dpm/index_words.h"

namespace cirein::dpm {

/// What steers growing and shrinking. In memory only; an open counts it.
struct TableCounts {
  std::uint64_t keys = 0;
  std::uint64_t overflow = 0;  ///< Buckets beyond the table's own.
};

/// Tells of a cell what the cell alone does not: the hash of its key.
class CellHasher {
 public:
  virtual ~CellHasher() = default;
  /// Nullopt when what the cell leads to makes no sense.
  virtual std::optional<std::uint64_t> HashOf(Cell cell) const = 0;
  /// Asks for the memory HashOf will read.
  virtual void Prefetch(Cell cell) const = 0;
};

/// What a search found.
struct Probe {
  std::uint64_t offset = 0;  ///< Of the key's cell; 0: the key is not there.
  Cell cell;
  std::uint64_t buckets = 0;  ///< How many were looked at.
  explicit operator bool() const noexcept { return offset != 0; }
};

/// The hash tables of the index. Each hangs on one word, its *home*: a slot word, or the word of a
/// row node. The writer changes it by one store at a time: of a cell, of the link to one more
/// bucket, or of the home, to lead to another table altogether.
///
/// Find and the walks may be called by readers; the rest by the one writer.
class IndexTables {
 public:
  IndexTables(IndexMemory& memory, std::uint64_t slot_words);

  TableWord At(std::uint64_t home) const noexcept { return TableWord(memory_.Load(home)); }

  /// A bit for each cell of a bucket that has the fingerprint of this hash. Without a branch, so
  /// that the processor goes on to what comes next, perhaps the next search, while it waits for
  /// memory.
  unsigned Candidates(std::uint64_t bucket, std::uint64_t hash) const noexcept {
    unsigned candidates = 0;
#pragma GCC unroll 7
    for (unsigned i = 0; i < kCellsPerBucket; ++i) {
      const Cell cell(memory_.Load(bucket + i * sizeof(std::uint64_t)));
      candidates |= static_cast<unsigned>(cell.MayBe(hash)) << i;
    }
    return candidates;
  }

  /// The first cell with this hash's fingerprint that `match(cell)` accepts.
  template <typename Match>
  Probe Find(TableWord table, std::uint64_t hash, Match&& match) const {
    Probe probe;
    if (table.empty()) return probe;
    for (std::uint64_t bucket = table.chain(hash); bucket != 0;
         bucket = memory_.Load(bucket + kNextOffset)) {
      ++probe.buckets;
      for (unsigned rest = Candidates(bucket, hash); rest != 0; rest &= rest - 1) {
        const auto number = static_cast<unsigned>(std::countr_zero(rest));
        const std::uint64_t offset = bucket + number * sizeof(std::uint64_t);
        // Perhaps it has changed by now: what it leads to decides.
        const Cell cell(memory_.Load(offset));
        if (cell.empty() || !match(cell)) continue;
        probe.offset = offset;
        probe.cell = cell;
        return probe;
      }
    }
    return probe;
  }

  /// Where cells are, with their values when they were read.
  struct Place {
    std::uint64_t offset = 0;
    Cell cell;
  };
  /// Calls visit(std::span<const Place>) for all cells that are not empty, a few dozen at a time,
  /// so that what they lead to can be prefetched; until it returns false. False when it did.
  template <typename Visit>
  bool ForEachGroup(TableWord table, Visit&& visit) const {
    std::array<Place, kGroup> group;
    std::size_t count = 0;
    for (std::uint64_t i = 0; !table.empty() && i < table.buckets(); ++i) {
      for (std::uint64_t bucket = table.offset() + i * kLine; bucket != 0;
           bucket = memory_.Load(bucket + kNextOffset)) {
        for (unsigned j = 0; j < kCellsPerBucket; ++j) {
          const std::uint64_t offset = bucket + j * sizeof(std::uint64_t);
          const Cell cell(memory_.Load(offset));
          if (!cell.empty()) group[count++] = {offset, cell};
        }
        if (count + kCellsPerBucket <= kGroup) continue;
        if (!visit(std::span<const Place>(group.data(), count))) return false;
        count = 0;
      }
    }
    return count == 0 || visit(std::span<const Place>(group.data(), count));
  }

  /// Puts a key that is not there yet. False, and nothing is changed, when the heap is full.
  bool Insert(std::uint64_t home, std::uint64_t hash, Cell cell, const CellHasher& hasher);
  /// A table of one bucket with one cell in it, as a body that is to be linked; no table (empty)
  /// when the heap is full.
  TableWord Make(Cell cell);
  /// Takes back what Make made, before it was linked.
  void Unmake(TableWord table) { memory_.Free(table.offset(), 1); }

  /// Empties cells, and gives back or shrinks the table where that pays.
  void Remove(std::uint64_t home, std::span<const Place> places, const CellHasher& hasher);
  void Remove(std::uint64_t home, const Probe& probe, const CellHasher& hasher) {
    const Place place{probe.offset, probe.cell};
    Remove(home, std::span(&place, 1), hasher);
  }
  /// Takes the whole table from its home.
  void RemoveAll(std::uint64_t home);

  /// How the walk of an open tells what it counted.
  void SetCounts(std::uint64_t home, TableWord table, TableCounts counts);
  /// Tables that were replaced by larger or smaller ones. Any thread may ask.
  std::uint64_t rebuilt() const noexcept { return rebuilt_.get(); }

 private:
  class Builder;
  static constexpr std::size_t kGroup = 64;

  TableCounts* Known(std::uint64_t home);
  TableCounts Count(std::uint64_t home, TableWord table);
  bool InsertIntoFull(std::uint64_t home, std::uint64_t hash, Cell cell, std::uint64_t last,
                      const CellHasher& hasher);
  bool Chain(std::uint64_t home, Cell cell, std::uint64_t last);
  struct Added {
    std::uint64_t hash = 0;
    Cell cell;
  };
  bool Rebuild(std::uint64_t home, unsigned log2, const Added& added, const CellHasher& hasher);
  void RetireTable(TableWord table);
  std::uint64_t NextGeneration(TableWord old);

  IndexMemory& memory_;
  const std::uint64_t slot_words_;
  std::vector<TableCounts> slots_;
  // Of column tables, by home; small ones are counted when needed.
  absl::flat_hash_map<std::uint64_t, TableCounts> columns_;
  std::uint64_t first_generation_ = 0;
  IndexCounter rebuilt_;
};

}  // namespace cirein::dpm
