// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/btree_map.h>

#include "cirein/data_object.h"

#include "object/key_view.h"
#include "runtime/clock.h"

namespace cirein {

/// One object of a row; empty when `object` is null.
struct Cell {
  DataObject object;
  std::uint64_t version = 0;
  TimePoint expires = kEndOfTime;
};

/// The columns of a row, sorted.
struct Columns {
  absl::btree_map<std::string, Cell, std::less<>> cells;
  std::uint64_t user_bytes = 0;  ///< Meta and data of all of them, expired ones too.
};

/// A row: its object without column in place, because most rows have nothing else, and its columns
/// on the side. The row's name follows the struct in the same allocation.
struct Row {
  Row* next = nullptr;  ///< The next row of the chain, in table order.
  std::uint64_t hash = 0;
  Bucket bucket;
  std::uint32_t name_bytes = 0;
  Cell cell;
  std::unique_ptr<Columns> columns;
  TimePoint expires = kEndOfTime;  ///< Of the row as a whole.

  std::string_view name() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), name_bytes};
  }
  bool empty() const noexcept { return cell.object.is_null() && columns == nullptr; }
};

/// A place in table order: before the first row at or after (hash, bucket, name).
struct RowPosition {
  std::uint64_t hash = 0;
  Bucket bucket;
  std::string_view name;
};

/// Rows by bucket and name.
///
/// Chained hash table whose bucket number is the top bits of the hash (below those that chose the
/// partition), with chains sorted by (hash, bucket, name). So the order of a walk is the order of
/// the hashes, whatever the table's size: a listing can stop anywhere, let rows come and go and the
/// table be rebuilt, and go on without missing or repeating one.
///
/// Not thread-safe. Rows stay where they are until they are erased.
class RowTable {
 public:
  /// `skip_bits`: how many top bits of the hash all rows here have in common.
  explicit RowTable(unsigned skip_bits);
  ~RowTable();
  RowTable(const RowTable&) = delete;
  RowTable& operator=(const RowTable&) = delete;

  Row* Find(const KeyView& key) const noexcept;
  /// Adds an empty row that is not there yet.
  Row* Insert(const KeyView& key);
  /// Frees a row.
  void Erase(Row* row);

  /// The first row at or after a position; null when there is none.
  Row* Seek(const RowPosition& position) const noexcept;
  /// The row after this one.
  Row* Next(const Row* row) const noexcept;

  std::size_t size() const noexcept { return size_; }
  /// What a row of this name costs in memory, its share of the table included.
  static std::uint64_t RowBytes(std::size_t name_bytes) noexcept;

 private:
  std::size_t ChainOf(std::uint64_t hash) const noexcept {
    return static_cast<std::size_t>((hash << skip_bits_) >> (64 - chain_bits_));
  }
  Row* FirstFrom(std::size_t chain) const noexcept;
  void Resize(unsigned chain_bits);

  const unsigned skip_bits_;
  unsigned chain_bits_;
  std::size_t size_ = 0;
  std::vector<Row*> chains_;  ///< 2^chain_bits_ of them.
};

}  // namespace cirein
