// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "support/random_names.h"

namespace cirein::test {

/// Keys of one random row, in any order and none twice: 1 to `max_keys` of them, or as many as
/// there are names.
inline std::vector<Key> RandomGroup(Random& random, std::size_t max_keys) {
  const std::string row = RandomRow(random);
  std::vector<Key> keys = {Key(row)};
  for (const std::string_view column : kColumnNames) keys.emplace_back(row, std::string(column));
  for (std::size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[random.Below(i)]);
  keys.resize(std::min(keys.size(), 1 + static_cast<std::size_t>(random.Below(max_keys))));
  return keys;
}

}  // namespace cirein::test
