// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace cirein::test {

/// A seed for a random test: CIREIN_TEST_SEED when it is set, else a fresh one. Printed, so that a
/// failure can be run again.
inline std::uint64_t Seed() {
  const char* const given = std::getenv("CIREIN_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0)
                                              : std::random_device{}() * 0x1'0000'0001ull;
  std::printf("CIREIN_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace cirein::test
