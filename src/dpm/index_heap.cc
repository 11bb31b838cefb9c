// SPDX-License-Identifier: Apache-2.0
#include "dpm/index_heap.h"

#include <algorithm>
#include <bit>

namespace cirein::dpm {

IndexHeap::IndexHeap(std::uint64_t lines) : lines_(lines) {
  for (unsigned order = 0; order < 64 && (lines >> order) != 0; ++order) {
    orders_.emplace_back(lines >> order);
  }
}

std::optional<std::uint64_t> IndexHeap::Allocate(std::uint64_t lines) {
  if (lines == 0 || lines > lines_) return std::nullopt;
  const auto wanted = static_cast<unsigned>(std::bit_width(lines - 1));
  if (wanted >= orders_.size()) return std::nullopt;
  const std::uint64_t able = orders_with_room_ >> wanted << wanted;
  if (able == 0) return std::nullopt;
  const auto order = static_cast<unsigned>(std::countr_zero(able));
  const std::uint64_t block = *orders_[order].Lowest();
  orders_[order].Erase(block);
  if (!orders_[order].Lowest()) orders_with_room_ &= ~(std::uint64_t{1} << order);
  const std::uint64_t taken = std::uint64_t{1} << order;
  free_.Subtract(taken);
  const std::uint64_t first = block << order;
  if (taken != lines) Free(first + lines, taken - lines);
  return first;
}

void IndexHeap::Free(std::uint64_t first, std::uint64_t lines) {
  while (lines != 0) {
    const auto aligned = first == 0 ? 63U : static_cast<unsigned>(std::countr_zero(first));
    const auto fits = static_cast<unsigned>(std::bit_width(lines)) - 1;
    const unsigned order = std::min(aligned, fits);
    FreeBlock(first, order);
    first += std::uint64_t{1} << order;
    lines -= std::uint64_t{1} << order;
  }
}

void IndexHeap::FreeBlock(std::uint64_t first, unsigned order) {
  free_.Add(std::uint64_t{1} << order);
  std::uint64_t block = first >> order;
  while (orders_[order].Test(block ^ 1)) {
    orders_[order].Erase(block ^ 1);
    if (!orders_[order].Lowest()) orders_with_room_ &= ~(std::uint64_t{1} << order);
    block >>= 1;
    ++order;
  }
  orders_[order].Insert(block);
  orders_with_room_ |= std::uint64_t{1} << order;
}

}  // namespace cirein::dpm
