// SPDX-License-Identifier: Apache-2.0
#include "runtime/entropy.h"

#include <cerrno>

#include <sys/random.h>

#include "base/fatal.h"

namespace cirein {
namespace {

std::uint64_t SystemSeed() {
  std::uint64_t seed = 0;
  for (;;) {
    // So few bytes come whole or not at all.
    const ssize_t count = getrandom(&seed, sizeof seed, 0);
    if (count == static_cast<ssize_t>(sizeof seed)) return seed;
    // Going on with a seed that is no secret would be worse than ending.
    if (count >= 0 || errno != EINTR) Fatal("the system gives no random numbers (getrandom)");
  }
}

}  // namespace

std::uint64_t Entropy::Seed() {
  if (!fixed_) return SystemSeed();
  std::uint64_t before = state_.load(std::memory_order_relaxed);
  std::uint64_t after = 0;
  std::uint64_t seed = 0;
  do {
    after = before;
    seed = SplitMix64(&after);
  } while (!state_.compare_exchange_weak(before, after, std::memory_order_relaxed));
  return seed;
}

}  // namespace cirein
