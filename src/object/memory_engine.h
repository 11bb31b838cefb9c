// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "object/engine.h"
#include "object/memory_budget.h"
#include "object/row_table.h"
#include "runtime/clock.h"

namespace cirein {

/// Objects in DRAM: rows in a hash table, the columns of a row in order (Kelpie's LocalKV). Stores
/// handles: publishing and getting copy no bytes. An expired object is absent at once, and freed
/// when a write or a sweep meets it. The clock is read only for objects that can expire.
class MemoryEngine : public Engine {
 public:
  /// `skip_bits`: how many top bits of the row hash choose the partition. `clock` and `budget`
  /// outlive the engine.
  MemoryEngine(unsigned skip_bits, const Clock& clock, MemoryBudget& budget);

  Result<PutOutcome> Put(const KeyView& key, PutRequest& request, Garbage& garbage) override;
  Result<PutOutcome> PutGroup(std::span<PutItem> items, Garbage& garbage) override;
  Result<bool> Get(const KeyView& key, Load load, StoredObject& found) override;
  Result<std::uint64_t> Drop(const KeyView& row, const Pattern& pattern, Garbage& garbage) override;
  Result<bool> GetRowInfo(const KeyView& row, RowInfo& info) override;
  Result<bool> WalkRow(const KeyView& row, const Pattern& pattern,
                       const std::optional<std::optional<std::string_view>>& after, Load load,
                       const Visitor& visit) override;
  Result<RowPage> Rows(const RowName& from, const Pattern& pattern, std::size_t max_rows) override;
  Result<RowState> GetRowState(const KeyView& row) override;
  Status Apply(std::span<Part> parts, Garbage& garbage) override;
  bool Sweep(std::size_t max_rows, Garbage& garbage) override;
  Stats GetStats() const override;

 private:
  static Cell* FindCell(Row* row, const KeyView& key) noexcept;
  bool Alive(const Cell& cell) const {
    return !cell.object.is_null() && (cell.expires == kEndOfTime || cell.expires > clock_.Now());
  }
  /// The row if its time is not over.
  Row* FindRow(const KeyView& key) const;
  /// The same, to be written to: one that is over goes.
  Row* FindRow(const KeyView& key, Garbage& garbage);
  bool IsOver(const Row& row) const {
    return row.expires != kEndOfTime && row.expires <= clock_.Now();
  }
  void SetRowExpiry(Row& row, TimePoint expires);
  StoredObject Stored(const Row& row, const Cell& cell) const;
  // Wall time in ms, and what it is to the clock: always the same, so that nothing is lost.
  std::uint64_t ToWall(TimePoint expires) const;
  TimePoint FromWall(std::uint64_t expiry_ms) const;
  std::uint64_t Reservation(const Part& part, Garbage& garbage);
  /// There is room for it.
  void Apply(Change& change, Garbage& garbage);
  /// What keeps the request from being carried out, if anything does.
  std::optional<PutOutcome> Refusal(const Cell* cell, const PutRequest& request) const;
  Version VersionOf(const Cell* cell) const;
  /// The memory for it has been taken. Its version.
  std::uint64_t Store(const KeyView& key, Row* row, Cell* cell, PutRequest& request,
                      Garbage& garbage);
  void Fill(Row& row, Cell& cell, bool is_column, PutRequest& request, Garbage& garbage);
  /// The memory that storing takes and frees.
  struct Need {
    std::uint64_t takes = 0;
    std::uint64_t frees = 0;
  };
  Need NeedOf(const KeyView& key, const Row* row, const Cell* cell, const DataObject& object) const;
  Need NeedOf(std::span<PutItem> items);
  bool Take(Need need);
  void KeepNewest(const KeyView& key, Row& row, std::uint32_t keep, Garbage& garbage);
  /// Each lets an object go and gives its memory back; the caller erases the row if it is empty.
  void ClearObject(Row& row, Garbage& garbage);
  using ColumnIterator = decltype(Columns::cells)::iterator;
  ColumnIterator EraseColumn(Row& row, ColumnIterator column, Garbage& garbage);
  /// True when nothing of it was left, and the row is gone.
  bool EraseIfEmpty(Row* row);
  std::uint64_t ClearExpired(Row& row, Garbage& garbage);
  /// Frees all that has expired; false when nothing can have.
  bool ClearAllExpired(Garbage& garbage);

  static std::uint64_t ColumnBytes(std::size_t name_bytes) noexcept;

  const Clock& clock_;
  const std::int64_t wall_offset_ns_;  ///< Of wall time to the clock's.
  /// Of all versions here: that of another process, or of this one's memory in another life, is
  /// another one (SAFETY 7).
  const std::uint64_t epoch_;
  RowTable rows_;
  MemoryCredit credit_;
  std::uint64_t objects_ = 0;
  std::uint64_t expiring_ = 0;              ///< Objects and rows kept that have an expiry.
  TimePoint earliest_expiry_ = kEndOfTime;  ///< None expires before; may be too early.
  std::uint64_t last_version_ = 0;
  RowName sweep_from_;
};

}  // namespace cirein
