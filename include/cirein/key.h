// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cirein/status.h"

namespace cirein {

/// A name space: objects of two buckets never meet, whatever their keys. 32 bits, hashed from a
/// label; not a means of protection. Id 0 means "unspecified: take the pool's".
class Bucket {
 public:
  /// A longer label is refused by Parse.
  static constexpr std::size_t kMaxLabelBytes = 255;

  constexpr Bucket() noexcept = default;
  constexpr explicit Bucket(std::uint32_t id) noexcept : id_(id) {}

  /// The bucket of a label: low 32 bits of XXH3-64 of its bytes, or 1 where those are 0.
  static Bucket FromLabel(std::string_view label);
  /// "0x" and one to eight hex digits give the id itself, any other text is a label. Errors
  /// (InvalidArgument): empty text, bad or too many hex digits, id 0, a label that is too long or
  /// has a character a ResourceUrl cannot carry (control characters and any of <>[]/&).
  static Result<Bucket> Parse(std::string_view text);

  constexpr std::uint32_t id() const noexcept { return id_; }
  constexpr bool specified() const noexcept { return id_ != 0; }
  /// "0x" and hex digits without leading zeros.
  std::string ToString() const;

  friend constexpr auto operator<=>(Bucket, Bucket) noexcept = default;

 private:
  std::uint32_t id_ = 0;
};

/// A row or column longer than this is refused (InvalidArgument).
inline constexpr std::size_t kMaxRowBytes = 65'535;
inline constexpr std::size_t kMaxColumnBytes = 65'535;

/// The number of slots a pool's rows are spread over: Redis Cluster's.
inline constexpr std::uint32_t kSlotCount = 16'384;

/// The slot of a row: CRC16 (XMODEM) of its hash tag - what stands between the first '{' and the
/// next '}', if that is not empty - or of the whole row, modulo kSlotCount. Redis Cluster's rule.
std::uint16_t SlotOfRow(std::string_view row);

/// A row's tag: a number that its name ends with, "{0x" and one to eight hex digits "}", by which
/// `tft:` pools choose the owner. nullopt when there is none.
std::optional<std::uint32_t> RowTag(std::string_view row);
/// The row with this tag in place of the one it has.
std::string WithRowTag(std::string_view row, std::uint32_t tag);

/// The name of an object: bucket, row, and optionally a column; any bytes. All columns of a row
/// live on one node. "No column" and "empty column" are different names.
class Key {
 public:
  Key() = default;
  explicit Key(std::string row) : row_(std::move(row)) {}
  Key(std::string row, std::string column)
      : row_(std::move(row)), column_(std::move(column)), has_column_(true) {}

  const std::string& row() const noexcept { return row_; }
  bool has_column() const noexcept { return has_column_; }
  /// Empty when there is no column: look at has_column() to tell.
  const std::string& column() const noexcept { return column_; }

  /// Unspecified unless set; a pool fills in its own, and refuses one that differs from it.
  Bucket bucket() const noexcept { return bucket_; }
  Key& set_bucket(Bucket bucket) noexcept {
    bucket_ = bucket;
    return *this;
  }

  std::uint16_t slot() const { return SlotOfRow(row_); }

  /// Is the row there, and neither part too long?
  bool valid() const noexcept {
    return !row_.empty() && row_.size() <= kMaxRowBytes && column_.size() <= kMaxColumnBytes;
  }
  /// OK when it is valid; else InvalidArgument with what is wrong.
  Status Validate() const;

  /// For people: row, or row|column, other than printable bytes as \xNN, long parts shortened.
  std::string ToString() const;

  friend auto operator<=>(const Key&, const Key&) = default;

 private:
  Bucket bucket_;
  std::string row_;
  std::string column_;
  bool has_column_ = false;
};

}  // namespace cirein
