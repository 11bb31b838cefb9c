// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "dpm/index_row.h"

namespace cirein::dpm {

/// The walk of all tables at an open: what is in use, and whether it fits together. Believes
/// nothing, and visits no line twice, so it ends on any bytes. Entries of the log are not read,
/// only whether they could be where the cells say.
class IndexCheck {
 public:
  IndexCheck(const IndexMemory& memory, const IndexLog& log, std::uint64_t slot_words);

  /// DataLoss, saying what does not fit and where; then nothing of this object is worth anything.
  Status Walk();

  /// After Walk.
  std::uint64_t keys() const noexcept { return keys_; }
  std::uint64_t rows() const noexcept { return rows_; }
  std::uint64_t row_entries() const noexcept { return row_entries_; }
  struct Counted {
    std::uint64_t home = 0;
    TableWord table;
    TableCounts counts;
  };
  const std::vector<Counted>& tables() const noexcept { return tables_; }
  /// What a crash left halfway, for the writer to finish: tables without keys, by their homes, and
  /// rows that need no node, each with the home of its slot.
  const std::vector<std::uint64_t>& empty_tables() const noexcept { return empty_tables_; }
  struct IdleRow {
    std::uint64_t home = 0;
    std::uint64_t node = 0;
  };
  const std::vector<IdleRow>& idle_rows() const noexcept { return idle_rows_; }
  /// Gives all lines that are not in use to the heap, in which they all must be so far.
  void FreeTheRest(IndexHeap& heap) const;

 private:
  enum class Level : std::uint8_t { kSlot, kRow };
  bool WalkTable(std::uint64_t home, Level level);
  bool WalkChain(TableWord table, std::uint64_t number, Level level, TableCounts* counts);
  bool CheckCell(Cell cell, std::uint64_t offset, Level level);
  bool WalkNode(Cell cell);
  bool Use(std::uint64_t offset, std::uint64_t lines);
  bool Fail(const char* what, std::uint64_t offset);

  const IndexMemory& memory_;
  const IndexLog& log_;
  const std::uint64_t slot_words_;
  std::vector<std::uint64_t> used_;  // A bit for each line.
  std::vector<Counted> tables_;
  std::vector<std::uint64_t> empty_tables_;
  std::vector<IdleRow> idle_rows_;
  std::uint64_t keys_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t row_entries_ = 0;
  std::uint32_t slot_ = 0;
  Status status_;
};

}  // namespace cirein::dpm
