// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "base/hash.h"
#include "dpm/layout.h"
#include "dpm/location.h"

/// The words of the index: what layout.h says of cells and table words, in code.
namespace cirein::dpm {

inline constexpr unsigned kCellsPerBucket = 7;
inline constexpr std::uint64_t kNextOffset = offsetof(IndexBucket, next);
inline constexpr std::uint64_t kGenerations = std::uint64_t{1} << 18;

/// The hash of a column within its row.
inline std::uint64_t ColumnHash(std::string_view column) noexcept { return Hash64(column, 1); }

/// Where a hash belongs in a table of 2^log2 buckets. The low 8 bits of the number are the top bits
/// of the hash, which the fingerprint has as well: so a table of up to 256 buckets grows without
/// looking at a single key. From there on the hash's low bits follow.
constexpr std::uint64_t BucketNumber(std::uint64_t hash, unsigned log2) noexcept {
  return std::rotl(hash, 8) & ((std::uint64_t{1} << log2) - 1);
}
/// Tables of up to 2^this buckets need the fingerprint alone.
inline constexpr unsigned kFingerprintBuckets = 8;

/// A word of a bucket; empty when it is 0.
class Cell {
 public:
  constexpr Cell() noexcept = default;
  constexpr explicit Cell(std::uint64_t word) noexcept : word_(word) {}
  static constexpr Cell Of(std::uint64_t hash, CellKind kind, std::uint64_t place) noexcept {
    return Cell((hash >> 48 << 48) | (static_cast<std::uint64_t>(kind) << 46) | (place >> 3));
  }

  constexpr std::uint64_t word() const noexcept { return word_; }
  constexpr bool empty() const noexcept { return word_ == 0; }
  constexpr std::uint64_t fingerprint() const noexcept { return word_ >> 48; }
  constexpr bool MayBe(std::uint64_t hash) const noexcept { return (word_ ^ hash) >> 48 == 0; }
  constexpr CellKind kind() const noexcept { return static_cast<CellKind>((word_ >> 46) & 3); }
  /// Of an entry in the log, or of a row node in the index: its offset.
  constexpr std::uint64_t place() const noexcept {
    return (word_ & ((std::uint64_t{1} << 46) - 1)) << 3;
  }
  constexpr Location location() const noexcept { return {place()}; }
  /// As much of the hash as the cell tells: the right bits for BucketNumber up to
  /// kFingerprintBuckets.
  constexpr std::uint64_t partial_hash() const noexcept { return fingerprint() << 48; }
  /// The same key's cell that leads elsewhere.
  constexpr Cell To(CellKind kind, std::uint64_t place) const noexcept {
    return Of(word_, kind, place);
  }
  friend constexpr bool operator==(Cell, Cell) noexcept = default;

 private:
  std::uint64_t word_ = 0;
};

/// The word that leads to a table; no table when it is 0.
class TableWord {
 public:
  constexpr TableWord() noexcept = default;
  constexpr explicit TableWord(std::uint64_t word) noexcept : word_(word) {}
  /// `offset` is the table's, from the region's begin.
  static constexpr TableWord Of(std::uint64_t generation, unsigned log2,
                                std::uint64_t offset) noexcept {
    return TableWord((generation % kGenerations) << 46 | std::uint64_t{log2} << 40 |
                     offset / kLine);
  }

  constexpr std::uint64_t word() const noexcept { return word_; }
  constexpr bool empty() const noexcept { return word_ == 0; }
  constexpr std::uint64_t generation() const noexcept { return word_ >> 46; }
  constexpr unsigned log2() const noexcept { return static_cast<unsigned>(word_ >> 40) & 63; }
  constexpr std::uint64_t buckets() const noexcept { return std::uint64_t{1} << log2(); }
  constexpr std::uint64_t offset() const noexcept {
    return (word_ & ((std::uint64_t{1} << 40) - 1)) * kLine;
  }
  /// The first bucket of the chain where a hash belongs.
  constexpr std::uint64_t chain(std::uint64_t hash) const noexcept {
    return offset() + BucketNumber(hash, log2()) * kLine;
  }

 private:
  std::uint64_t word_ = 0;
};

/// Lines of a row node whose name is so long.
constexpr std::uint64_t RowNodeLines(std::uint64_t row_bytes) noexcept {
  return (sizeof(RowNode) + row_bytes + kLine - 1) / kLine;
}

}  // namespace cirein::dpm
