// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "cirein/key.h"
#include "cirein/pattern.h"

#include "base/random.h"

namespace cirein::test {

/// Names that are apt to meet: prefixes of one another, stars that are only letters, bytes that are
/// no text, a column that is empty.
inline constexpr std::array<std::string_view, 9> kRowNames = {
    "a", "ab", "abc", "b", "*", "a*", {"a\0b", 3}, "\xff\xfe", "row with spaces/and|bars"};
inline constexpr std::array<std::string_view, 7> kColumnNames = {"",  "x",       "xy", "xyz",
                                                                 "*", {"\0", 1}, "y"};

inline std::string RandomRow(Random& random) {
  return std::string(kRowNames[random.Below(kRowNames.size())]);
}
inline std::string RandomColumn(Random& random) {
  return std::string(kColumnNames[random.Below(kColumnNames.size())]);
}
inline Key RandomKey(Random& random) {
  return random.OneIn(3) ? Key(RandomRow(random)) : Key(RandomRow(random), RandomColumn(random));
}
/// Every kind of pattern, over the names above.
inline Pattern RandomPattern(Random& random) {
  const std::string row = RandomRow(random);
  switch (random.Below(6)) {
    case 0:
      return Pattern::Row(row);
    case 1:
      return Pattern::ColumnPrefix(row, RandomColumn(random));
    case 2:
      return Pattern::RowPrefix(row.substr(0, random.Below(row.size() + 1)));
    case 3:
      // One column, or the object without column, in each of several rows.
      return (random.OneIn(2) ? Pattern::Parse("a*") : Pattern::Parse("a*", "x*")).value();
    default:
      return RandomKey(random);
  }
}

}  // namespace cirein::test
