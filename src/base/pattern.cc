// SPDX-License-Identifier: Apache-2.0
#include "cirein/pattern.h"

#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {
namespace {

constexpr std::string_view kShape =
    "a pattern is a name, or a name with one '*' at its end; write a star itself as \\*, a "
    "backslash as \\\\";
constexpr std::string_view kEveryNamedColumn = "**";

// One part of a pattern, its escapes undone.
struct Part {
  std::string bytes;
  bool is_prefix = false;
};

Status RefusePart(std::string_view text, std::string_view why, std::size_t at) {
  return InvalidArgument(fmt::format("pattern {} {} at byte {}", QuoteForPeople(text), why, at),
                         std::string(kShape));
}

// Reads the escape whose backslash stands at `*at`, and moves `*at` to its last character.
Result<char> ParseEscape(std::string_view text, std::size_t* at) {
  const std::size_t start = *at;
  if (start + 1 >= text.size()) return RefusePart(text, "ends in a lone backslash", start);
  const char kind = text[start + 1];
  if (kind == '*' || kind == '\\' || kind == '|') {
    *at = start + 1;
    return kind;
  }
  if (kind != 'x') return RefusePart(text, "has an unknown escape", start);
  const int high = start + 2 < text.size() ? HexDigitValue(text[start + 2]) : -1;
  const int low = start + 3 < text.size() ? HexDigitValue(text[start + 3]) : -1;
  if (high < 0 || low < 0) return RefusePart(text, "has \\x without two hex digits", start);
  *at = start + 3;
  return static_cast<char>(high * 16 + low);
}

Result<Part> ParsePart(std::string_view text) {
  Part part;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\') {
      CIREIN_ASSIGN_OR_RETURN(const char byte, ParseEscape(text, &at));
      part.bytes.push_back(byte);
    } else if (text[at] != '*') {
      part.bytes.push_back(text[at]);
    } else if (at + 1 == text.size()) {
      part.is_prefix = true;
    } else {
      return RefusePart(text, "has a '*' that is not at its end,", at);
    }
  }
  return part;
}

std::string PartText(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c == '*' || c == '|') {
      out.push_back('\\');
      out.push_back(c);
    } else {
      out += EscapeForPeople(std::string_view(&c, 1));
    }
  }
  return out;
}

// The place of the first bar that no backslash precedes, or npos. An escape is at least two
// characters long and none but "\|" has a bar among its first two, so skipping two is enough.
std::size_t FindSeparator(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '|') return at;
    if (text[at] == '\\') ++at;
  }
  return std::string_view::npos;
}

}  // namespace

Pattern::Pattern(const Key& key)
    : bucket_(key.bucket()),
      row_(key.row()),
      column_(key.column()),
      column_match_(key.has_column() ? ColumnMatch::kExact : ColumnMatch::kNone) {}

Pattern Pattern::Row(std::string row) {
  Pattern pattern;
  pattern.row_ = std::move(row);
  pattern.column_match_ = ColumnMatch::kAll;
  return pattern;
}

Pattern Pattern::ColumnPrefix(std::string row, std::string column_prefix) {
  Pattern pattern;
  pattern.row_ = std::move(row);
  pattern.column_ = std::move(column_prefix);
  pattern.column_match_ = ColumnMatch::kPrefix;
  return pattern;
}

Pattern Pattern::RowPrefix(std::string row_prefix) {
  Pattern pattern = Row(std::move(row_prefix));
  pattern.row_is_prefix_ = true;
  return pattern;
}

Result<Pattern> Pattern::Parse(std::string_view row) {
  CIREIN_ASSIGN_OR_RETURN(Part part, ParsePart(row));
  Pattern pattern;
  pattern.row_ = std::move(part.bytes);
  pattern.row_is_prefix_ = part.is_prefix;
  CIREIN_RETURN_IF_ERROR(pattern.Validate());
  return pattern;
}

Result<Pattern> Pattern::Parse(std::string_view row, std::string_view column) {
  CIREIN_ASSIGN_OR_RETURN(Pattern pattern, Parse(row));
  if (column == kEveryNamedColumn) {
    pattern.column_match_ = ColumnMatch::kPrefix;
    return pattern;
  }
  CIREIN_ASSIGN_OR_RETURN(Part part, ParsePart(column));
  pattern.column_ = std::move(part.bytes);
  if (!part.is_prefix) {
    pattern.column_match_ = ColumnMatch::kExact;
  } else {
    pattern.column_match_ = pattern.column_.empty() ? ColumnMatch::kAll : ColumnMatch::kPrefix;
  }
  CIREIN_RETURN_IF_ERROR(pattern.Validate());
  return pattern;
}

Result<Pattern> Pattern::ParseText(std::string_view text) {
  const std::size_t separator = FindSeparator(text);
  if (separator == std::string_view::npos) return Parse(text);
  return Parse(text.substr(0, separator), text.substr(separator + 1));
}

Key Pattern::key() const {
  Key key = column_match_ == ColumnMatch::kExact ? Key(row_, column_) : Key(row_);
  key.set_bucket(bucket_);
  return key;
}

bool Pattern::MatchesRow(std::string_view row) const noexcept {
  return row_is_prefix_ ? row.starts_with(row_) : row == row_;
}

bool Pattern::MatchesColumn(std::optional<std::string_view> column) const noexcept {
  switch (column_match_) {
    case ColumnMatch::kNone:
      return !column.has_value();
    case ColumnMatch::kExact:
      return column.has_value() && *column == column_;
    case ColumnMatch::kPrefix:
      return column.has_value() && column->starts_with(column_);
    case ColumnMatch::kAll:
      return true;
  }
  return false;
}

bool Pattern::Matches(const Key& key) const noexcept {
  if (key.bucket() != bucket_ || !MatchesRow(key.row())) return false;
  return key.has_column() ? MatchesColumn(std::string_view(key.column()))
                          : MatchesColumn(std::nullopt);
}

Status Pattern::Validate() const {
  if (row_.empty() && !row_is_prefix_) {
    return InvalidArgument("the pattern has no row", "name a row, or \"*\" for all rows");
  }
  if (row_.size() > kMaxRowBytes) {
    return InvalidArgument(fmt::format("the row {} of the pattern is longer than {} bytes",
                                       QuoteForPeople(row_), kMaxRowBytes),
                           "choose a shorter row or prefix");
  }
  if (column_.size() > kMaxColumnBytes) {
    return InvalidArgument(fmt::format("the column {} of the pattern is longer than {} bytes",
                                       QuoteForPeople(column_), kMaxColumnBytes),
                           "choose a shorter column or prefix");
  }
  return OkStatus();
}

std::string Pattern::RowText() const {
  std::string text = PartText(row_);
  if (row_is_prefix_) text.push_back('*');
  return text;
}

std::optional<std::string> Pattern::ColumnText() const {
  switch (column_match_) {
    case ColumnMatch::kNone:
      return std::nullopt;
    case ColumnMatch::kExact:
      return PartText(column_);
    case ColumnMatch::kPrefix:
      return column_.empty() ? std::string(kEveryNamedColumn) : PartText(column_) + "*";
    case ColumnMatch::kAll:
      return "*";
  }
  return std::nullopt;
}

std::string Pattern::ToString() const {
  std::string text = RowText();
  if (const std::optional<std::string> column = ColumnText()) text += "|" + *column;
  return text;
}

}  // namespace cirein
