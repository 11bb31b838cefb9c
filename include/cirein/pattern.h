// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cirein/key.h"
#include "cirein/status.h"

namespace cirein {

/// Which objects a Want, List, Drop or Compute is about. A type of its own, so that a key with a
/// literal '*' stays a key. Rows are matched exactly or by prefix; within a row:
///   - kNone: the object without column
///   - kExact: one column
///   - kPrefix: all columns that start with a text (every column, when it is empty)
///   - kAll: the object without column and every column
class Pattern {
 public:
  enum class ColumnMatch : unsigned char { kNone, kExact, kPrefix, kAll };

  /// Matches nothing valid; assign to it.
  Pattern() = default;

  /// Exactly this key: implicit, because a key is a pattern wherever one is asked for.
  Pattern(const Key& key);  // NOLINT

  /// Everything in one row.
  static Pattern Row(std::string row);
  /// The columns of one row that start with `column_prefix`.
  static Pattern ColumnPrefix(std::string row, std::string column_prefix);
  /// Everything in every row that starts with `row_prefix` ("" for all).
  static Pattern RowPrefix(std::string row_prefix);

  /// From text: a trailing '*' makes a prefix. A lone column "*" is kAll, a lone "**" is kPrefix of
  /// nothing (every column, but not the object without column), no column is kNone. A backslash
  /// takes the meaning from a star, a backslash or a bar behind it, and "\xNN" is the byte with
  /// these hex digits. Errors (InvalidArgument): a star elsewhere ("foo*bar"), an unknown escape,
  /// and what Validate refuses.
  static Result<Pattern> Parse(std::string_view row);
  static Result<Pattern> Parse(std::string_view row, std::string_view column);
  /// From one text, "row" or "row|column": the first bar without a backslash parts them. What
  /// ToString gives comes back as an equal pattern, but for the bucket.
  static Result<Pattern> ParseText(std::string_view text);

  const std::string& row() const noexcept { return row_; }
  bool row_is_prefix() const noexcept { return row_is_prefix_; }
  const std::string& column() const noexcept { return column_; }
  ColumnMatch column_match() const noexcept { return column_match_; }
  /// True when the pattern names one key exactly; key() gives it.
  bool is_exact() const noexcept {
    return !row_is_prefix_ &&
           (column_match_ == ColumnMatch::kNone || column_match_ == ColumnMatch::kExact);
  }
  Key key() const;

  Bucket bucket() const noexcept { return bucket_; }
  Pattern& set_bucket(Bucket bucket) noexcept {
    bucket_ = bucket;
    return *this;
  }

  bool MatchesRow(std::string_view row) const noexcept;
  /// Does the column part match? `column` is nullopt for the object without column.
  bool MatchesColumn(std::optional<std::string_view> column) const noexcept;
  /// Buckets must be equal, row and column match.
  bool Matches(const Key& key) const noexcept;

  /// Within the limits of a key; a row that is not a prefix must not be empty.
  Status Validate() const;

  /// "row" or "row|column" in printable ASCII, whole: the text that ParseText reads back.
  std::string ToString() const;
  /// The two parts of it, which Parse reads back; no column text for kNone.
  std::string RowText() const;
  std::optional<std::string> ColumnText() const;

  friend bool operator==(const Pattern&, const Pattern&) = default;

 private:
  Bucket bucket_;
  std::string row_;
  std::string column_;
  bool row_is_prefix_ = false;
  ColumnMatch column_match_ = ColumnMatch::kNone;
};

}  // namespace cirein
