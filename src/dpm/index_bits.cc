// SPDX-License-Identifier: Apache-2.0
#include "dpm/index_bits.h"

#include <bit>

namespace cirein::dpm {

IndexBits::IndexBits(std::uint64_t size) : size_(size) {
  std::uint64_t words = size;
  do {
    words = (words + 63) / 64;
    levels_.emplace_back(words);
  } while (words > 1);
}

bool IndexBits::Test(std::uint64_t number) const noexcept {
  return number < size_ && (levels_[0][number / 64] >> (number % 64) & 1) != 0;
}

void IndexBits::Insert(std::uint64_t number) noexcept {
  for (std::vector<std::uint64_t>& level : levels_) {
    std::uint64_t& word = level[number / 64];
    const bool was_empty = word == 0;
    word |= std::uint64_t{1} << (number % 64);
    if (!was_empty) return;
    number /= 64;
  }
}

void IndexBits::Erase(std::uint64_t number) noexcept {
  for (std::vector<std::uint64_t>& level : levels_) {
    std::uint64_t& word = level[number / 64];
    word &= ~(std::uint64_t{1} << (number % 64));
    if (word != 0) return;
    number /= 64;
  }
}

std::optional<std::uint64_t> IndexBits::Lowest() const noexcept {
  if (size_ == 0 || levels_.back()[0] == 0) return std::nullopt;
  std::uint64_t number = 0;
  for (std::size_t level = levels_.size(); level-- > 0;) {
    number = number * 64 + static_cast<std::uint64_t>(std::countr_zero(levels_[level][number]));
  }
  return number;
}

}  // namespace cirein::dpm
