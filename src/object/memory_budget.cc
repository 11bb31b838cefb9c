// SPDX-License-Identifier: Apache-2.0
#include "object/memory_budget.h"

#include <algorithm>

namespace cirein {
namespace {

constexpr std::uint64_t kMaxChunkBytes = 64 * 1024;

}  // namespace

MemoryBudget::MemoryBudget(std::uint64_t limit_bytes, std::uint32_t partitions)
    : limit_(limit_bytes),
      chunk_(
          std::min(kMaxChunkBytes, limit_bytes / (std::uint64_t{64} * std::max(partitions, 1u)))) {}

bool MemoryBudget::Acquire(std::uint64_t bytes) noexcept {
  std::uint64_t taken = taken_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ || taken > limit_ - bytes) return false;
  } while (!taken_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed));
  return true;
}

void MemoryBudget::AcquireAnyway(std::uint64_t bytes) noexcept {
  taken_.fetch_add(bytes, std::memory_order_relaxed);
}

void MemoryBudget::Release(std::uint64_t bytes) noexcept {
  taken_.fetch_sub(bytes, std::memory_order_relaxed);
}

MemoryCredit::~MemoryCredit() {
  if (held_ != 0) budget_.Release(held_);
}

bool MemoryCredit::Take(std::uint64_t bytes) noexcept {
  if (budget_.limited() && held_ - used_ < bytes) {
    const std::uint64_t missing = bytes - (held_ - used_);
    const std::uint64_t generous = missing + budget_.chunk();
    if (budget_.Acquire(generous)) {
      held_ += generous;
    } else if (budget_.Acquire(missing)) {
      held_ += missing;
    } else {
      return false;
    }
  }
  used_ += bytes;
  return true;
}

void MemoryCredit::TakeAnyway(std::uint64_t bytes) noexcept {
  if (Take(bytes)) return;
  const std::uint64_t missing = bytes - (held_ - used_);
  budget_.AcquireAnyway(missing);
  held_ += missing;
  used_ += bytes;
}

void MemoryCredit::Give(std::uint64_t bytes) noexcept {
  used_ -= bytes;
  if (!budget_.limited()) return;
  if (const std::uint64_t spare = held_ - used_; spare > 2 * budget_.chunk()) {
    const std::uint64_t excess = spare - budget_.chunk();
    budget_.Release(excess);
    held_ -= excess;
  }
}

}  // namespace cirein
