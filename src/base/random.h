// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace cirein {

/// One step of SplitMix64: a bijection that scatters even neighbouring seeds.
constexpr std::uint64_t SplitMix64(std::uint64_t* state) noexcept {
  std::uint64_t z = (*state += 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

/// A pseudo-random sequence that its seed alone decides, the same on every machine: xoshiro256**.
/// An algorithm, not a source of entropy, and not for secrets. A UniformRandomBitGenerator, 32
/// bytes, not thread-safe: give each thread its own by Fork().
class Random {
 public:
  using result_type = std::uint64_t;

  constexpr explicit Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) word = SplitMix64(&seed);
  }

  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }

  constexpr result_type operator()() noexcept {
    const std::uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = RotateLeft(state_[3], 45);
    return result;
  }

  /// Evenly one of 0 ... bound-1; 0 when the bound is 0. Exactly even: what would lean is drawn
  /// again (Lemire's method).
  constexpr std::uint64_t Below(std::uint64_t bound) noexcept {
    if (bound == 0) return 0;
    Wide product = Wide{(*this)()} * bound;
    auto low = static_cast<std::uint64_t>(product);
    if (low < bound) {
      const std::uint64_t leaning = (0 - bound) % bound;
      while (low < leaning) {
        product = Wide{(*this)()} * bound;
        low = static_cast<std::uint64_t>(product);
      }
    }
    return static_cast<std::uint64_t>(product >> 64);
  }

  /// Evenly at least 0 and less than 1, with 53 random bits.
  constexpr double Double() noexcept { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

  /// True once in `denominator` draws, on average.
  constexpr bool OneIn(std::uint64_t denominator) noexcept { return Below(denominator) == 0; }

  /// A generator whose sequence has nothing to do with what this one gives from now on.
  constexpr Random Fork() noexcept { return Random((*this)()); }

 private:
  __extension__ using Wide = unsigned __int128;

  static constexpr std::uint64_t RotateLeft(std::uint64_t x, int bits) noexcept {
    return (x << bits) | (x >> (64 - bits));
  }

  std::array<std::uint64_t, 4> state_{};
};

}  // namespace cirein
