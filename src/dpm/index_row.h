// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/sabotage.h"
#include "dpm/index_log.h"
#include "dpm/index_memory.h"
#include "dpm/index_table.h"
#include "dpm/index_words.h"

namespace cirein::dpm {

/// A row node as it lies in the index. Its words change while readers read them; the rest does not.
class RowRef {
 public:
  RowRef(const IndexMemory& memory, std::uint64_t offset) noexcept
      : memory_(&memory), offset_(offset) {}

  std::uint64_t offset() const noexcept { return offset_; }
  std::uint64_t row_entry_word() const noexcept { return offset_ + offsetof(RowNode, row_entry); }
  std::uint64_t object_word() const noexcept { return offset_ + offsetof(RowNode, object); }
  /// The home of the table of columns.
  std::uint64_t table_home() const noexcept { return offset_ + offsetof(RowNode, table); }

  Location row_entry() const noexcept { return {memory_->Load(row_entry_word())}; }
  Location object() const noexcept { return {memory_->Load(object_word())}; }
  TableWord table() const noexcept { return TableWord(memory_->Load(table_home())); }

  std::uint64_t row_hash() const noexcept { return fixed().row_hash; }
  RowName name() const noexcept {
    const auto* name = reinterpret_cast<const char*>(&fixed() + 1);  // NOLINT: bytes as text.
    return {fixed().bucket, {name, fixed().row_bytes}};
  }
  std::uint64_t lines() const noexcept { return RowNodeLines(fixed().row_bytes); }

 private:
  const RowNode& fixed() const noexcept {
    return *reinterpret_cast<const RowNode*>(memory_->At(offset_));  // NOLINT: the medium's bytes.
  }
  const IndexMemory* memory_;
  std::uint64_t offset_;
};

/// What a new row node is to say.
struct RowFields {
  RowName name = {};
  std::uint64_t row_hash = 0;
  Location row_entry = {};
  Location object = {};
  TableWord table = {};
};
/// Makes a row node as a body that is to be linked: its offset, or 0 when the heap is full.
std::uint64_t MakeRow(IndexMemory& memory, const RowFields& fields);

/// All that follows cells: the index's memory and tables, the log, and what both say together.
/// Readers use it as it is.
struct IndexParts {
  IndexMemory& memory;
  IndexTables& tables;
  const IndexLog& log;
  std::uint64_t slot_words;

  std::uint64_t Home(std::uint16_t slot) const noexcept {
    return slot_words + slot * sizeof(std::uint64_t);
  }

  RowRef Row(Cell cell) const noexcept { return {memory, cell.place()}; }
  /// The row's cell in the table of its slot: of its node, or of its object if it has nothing else.
  Probe FindRow(std::uint64_t home, std::uint64_t row_hash, const RowName& name) const {
    return tables.Find(tables.At(home), row_hash, [&](Cell cell) {
      if (cell.kind() == CellKind::kEntry) return IsObjectOf(log.At(cell.location()), name);
      const RowName found = Row(cell).name();
      return found.bucket == name.bucket && SameName(found.name, name.name);
    });
  }
  /// A column's cell in the table of its row.
  Probe FindColumn(const RowRef& row, const RowName& name, std::string_view column,
                   std::uint64_t column_hash) const {
    return tables.Find(row.table(), column_hash, [&](Cell cell) {
      return IsColumnOf(log.At(cell.location()), name, column);
    });
  }
  /// The newest row entry, as it is now; none if there is none.
  EntryView RowEntry(const RowRef& row) const noexcept {
    const Location location = row.row_entry();
    return location ? log.RowEntryAt(location) : EntryView();
  }
  void Prefetch(Cell cell) const noexcept {
    if (cell.kind() == CellKind::kEntry) {
      log.Prefetch(cell.location());
    } else {
      memory.Prefetch(cell.place());
    }
  }
};

/// Does the row entry, if there is one, say that the entry is gone?
inline bool Hides(const EntryView& row_entry, const EntryView& entry) noexcept {
  if (Sabotaged(Sabotage::kRowEntryHidesNothing)) return false;
  return row_entry && entry.version() < row_entry.hide_below();
}

/// Hashes of cells in the tables of slots.
class RowHasher final : public CellHasher {
 public:
  explicit RowHasher(const IndexParts& parts) : parts_(parts) {}
  std::optional<std::uint64_t> HashOf(Cell cell) const override;
  void Prefetch(Cell cell) const override { parts_.Prefetch(cell); }

 private:
  const IndexParts& parts_;
};

/// Hashes of cells in the tables of rows.
class ColumnHasher final : public CellHasher {
 public:
  explicit ColumnHasher(const IndexLog& log) : log_(log) {}
  std::optional<std::uint64_t> HashOf(Cell cell) const override;
  void Prefetch(Cell cell) const override { log_.Prefetch(cell.location()); }

 private:
  const IndexLog& log_;
};

}  // namespace cirein::dpm
