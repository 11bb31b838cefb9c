// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "base/random.h"

namespace cirein {

/// A generator for a random test. Its seed is CIREIN_TEST_SEED if that is set, else new in each
/// run; it is printed, so that a failure can be run again.
inline Random SeededForTest() {
  const char* const given = std::getenv("CIREIN_TEST_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 0) : std::uint64_t{std::random_device{}()};
  std::printf("CIREIN_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return Random(seed);
}

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
