// SPDX-License-Identifier: Apache-2.0
#include "object/list_cursor.h"

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {
namespace {

// A byte that PercentEncode never leaves as it is.
constexpr char kSeparator = ':';

Status BadCursor(std::string_view text) {
  return InvalidArgument(fmt::format("{} is not a list cursor", QuoteForPeople(text)),
                         "give the `next` of the page before, or nothing to start from the top");
}

}  // namespace

std::string ListCursor::ToString() const {
  if (place) return fmt::format("1{0}h{0}{1:x}", kSeparator, *place);
  const char kind = !inside ? 'b' : column ? 'c' : 'o';
  std::string text = fmt::format("1{0}{1}{0}{2}", kSeparator, kind, PercentEncode(row));
  if (inside && column) text += kSeparator + PercentEncode(*column);
  return text;
}

Result<ListCursor> ListCursor::Parse(std::string_view text) {
  if (text.size() < 4 || text[0] != '1' || text[1] != kSeparator || text[3] != kSeparator) {
    return BadCursor(text);
  }
  const char kind = text[2];
  ListCursor cursor;
  if (kind == 'h') {
    const Result<std::uint64_t> place = ParseHex64(text.substr(4));
    if (!place.ok()) return BadCursor(text);
    cursor.place = *place;
    if (cursor.ToString() != text) return BadCursor(text);
    return cursor;
  }
  std::string_view row = text.substr(4);
  std::optional<std::string_view> column;
  if (const std::size_t separator = row.find(kSeparator); separator != std::string_view::npos) {
    column = row.substr(separator + 1);
    row = row.substr(0, separator);
  }
  if ((kind != 'b' && kind != 'o' && kind != 'c') || (kind == 'c') != column.has_value()) {
    return BadCursor(text);
  }
  cursor.inside = kind != 'b';
  const Result<std::string> row_bytes = PercentDecode(row);
  if (!row_bytes.ok()) return BadCursor(text);
  cursor.row = *row_bytes;
  if (column) {
    const Result<std::string> column_bytes = PercentDecode(*column);
    if (!column_bytes.ok()) return BadCursor(text);
    cursor.column = *column_bytes;
  }
  if (cursor.ToString() != text) return BadCursor(text);  // One text for each place.
  return cursor;
}

}  // namespace cirein
