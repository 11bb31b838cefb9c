// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cirein/status.h"

namespace cirein {

/// Where a listing stands: before a row, inside one after one of its objects, or, where it stopped
/// among rows of other buckets, before all rows of a place. As text it names the place itself, so
/// it stays good whatever comes and goes meanwhile.
struct ListCursor {
  std::string row;
  bool inside = false;                 ///< After an object of this row, rather than before the row.
  std::optional<std::string> column;   ///< Which: nullopt for the one without column.
  std::optional<std::uint64_t> place;  ///< Before all rows of this one; nothing above counts then.

  /// "1:b:ROW", "1:o:ROW" or "1:c:ROW:COLUMN", percent-encoded, or "1:h:HEX".
  std::string ToString() const;
  /// InvalidArgument for text that ToString did not make.
  static Result<ListCursor> Parse(std::string_view text);
};

}  // namespace cirein
