// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/random.h"

namespace cirein {

/// Up to `max_bytes` bytes, half of them from `favourites`, the others anything.
inline std::string RandomBytes(Random* random, std::size_t max_bytes, std::string_view favourites) {
  std::string bytes(random->Below(max_bytes + 1), '\0');
  for (char& byte : bytes) {
    byte = random->OneIn(2) && !favourites.empty() ? favourites[random->Below(favourites.size())]
                                                   : static_cast<char>(random->Below(256));
  }
  return bytes;
}

}  // namespace cirein
