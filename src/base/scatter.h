// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace cirein {

/// A fixed shuffle of 0 ... count-1: it spreads the hot ranks of a distribution over all keys, so
/// that they are not neighbours. One to one, unlike a hash: each key gets exactly one rank.
/// Stateless but for its count; safe from any thread.
class Scatter {
 public:
  explicit constexpr Scatter(std::uint64_t count) noexcept
      : count_(std::max<std::uint64_t>(count, 1)),
        bits_(std::max(static_cast<int>(std::bit_width(count_ - 1)), 2)),
        mask_(~std::uint64_t{0} >> (64 - bits_)) {}

  /// Where `rank`, which is less than the count, goes.
  constexpr std::uint64_t Place(std::uint64_t rank) const noexcept {
    // Each round shuffles the next power of two; what falls outside is shuffled on, and must come
    // back inside, because the way it goes is a circle through where it began.
    do {
      rank = Round(rank);
    } while (rank >= count_);
    return rank;
  }

 private:
  // Steps that can be undone: multiplying by odd numbers, and folding high bits onto low ones.
  constexpr std::uint64_t Round(std::uint64_t x) const noexcept {
    x = (x * 0x9E3779B97F4A7C15U + 0x632BE59BD9B4E019U) & mask_;
    x ^= x >> ((bits_ + 1) / 2);
    x = (x * 0xD6E8FEB86659FD93U) & mask_;
    x ^= x >> ((bits_ + 1) / 2);
    return x;
  }

  std::uint64_t count_;
  int bits_;
  std::uint64_t mask_;
};

}  // namespace cirein
