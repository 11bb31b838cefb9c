// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/random.h"

namespace cirein {

/// Where seeds come from: the operating system, or one fixed seed from which all others follow, so
/// that a virtual world replays. Thread-safe, but the order in which threads draw decides who gets
/// which seed: a world that must replay draws on one thread.
class Entropy {
 public:
  /// Seeds that nobody can foresee, from getrandom(2). May block early in the boot of a machine.
  static Entropy FromSystem() { return Entropy(std::nullopt); }
  /// The same sequence in every run.
  static Entropy FromSeed(std::uint64_t seed) { return Entropy(seed); }

  /// The next seed.
  std::uint64_t Seed();
  /// A generator for one thread, seeded by the next seed.
  Random MakeRandom() { return Random(Seed()); }

 private:
  explicit Entropy(std::optional<std::uint64_t> seed) : fixed_(seed), state_(seed.value_or(0)) {}

  const std::optional<std::uint64_t> fixed_;
  std::atomic<std::uint64_t> state_;
};

}  // namespace cirein
