// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dpm/index_bits.h"
#include "dpm/index_counter.h"

namespace cirein::dpm {

/// Which lines of the index are free. A buddy allocator: blocks of 2^order lines, aligned to their
/// size, so that what is given back in any pieces and order grows together again. Takes the lowest
/// block of the smallest order that will do, which keeps the far end of the heap in one piece.
///
/// Known in memory only: an open learns the used lines by walking the tables. Numbers lines from 0.
/// Not thread-safe.
class IndexHeap {
 public:
  /// All lines are in use at first.
  explicit IndexHeap(std::uint64_t lines);

  /// A run of free lines; aligned to its size when that is a power of two. Nullopt when there is
  /// none.
  std::optional<std::uint64_t> Allocate(std::uint64_t lines);
  /// Gives any run of used lines back.
  void Free(std::uint64_t first, std::uint64_t lines);

  std::uint64_t lines() const noexcept { return lines_; }
  /// Any thread may ask.
  std::uint64_t used() const noexcept { return lines_ - free_.get(); }

 private:
  void FreeBlock(std::uint64_t first, unsigned order);

  std::uint64_t lines_;
  IndexCounter free_;
  std::uint64_t orders_with_room_ = 0;  // A bit for each order with a free block.
  std::vector<IndexBits> orders_;       // The free blocks of each order, by number.
};

}  // namespace cirein::dpm
