// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "memory/chunk.h"
#include "memory/intrusive_list.h"

namespace cirein {

/// Free big chunks that wait to be used again, because pages that were touched once are worth
/// keeping. Every call takes bounded time and none allocates. Not thread-safe; does not unmap: the
/// caller asks for the oldest while bytes() is above its bound.
class BigBlockCache {
 public:
  void Put(Chunk* chunk) noexcept;
  /// A chunk of at least `mapped_bytes` and at most a quarter more, the smallest of those looked
  /// at; null when there is none.
  Chunk* Take(std::uint64_t mapped_bytes) noexcept;
  /// The chunk that waited longest; null when there is none.
  Chunk* TakeOldest() noexcept;
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  using BinList = IntrusiveList<Chunk, &Chunk::next, &Chunk::previous>;
  using AgeList = IntrusiveList<Chunk, &Chunk::older, &Chunk::newer>;
  // Eight bins to a doubling, up to the largest size there is.
  static constexpr std::size_t kBins = 8 * 64;

  static std::size_t BinOf(std::uint64_t mapped_bytes) noexcept;
  void Remove(Chunk* chunk) noexcept;

  std::array<BinList, kBins> bins_;
  AgeList by_age_;  // The newest in front.
  std::uint64_t bytes_ = 0;
};

}  // namespace cirein
