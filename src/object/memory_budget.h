// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace cirein {

/// A limit on bytes shared by many partitions. Each partition draws on it through a MemoryCredit of
/// its own, so that the shared counter is touched rarely. Thread-safe.
class MemoryBudget {
 public:
  /// `limit_bytes` 0: no limit. `partitions`: how many credits will draw on it.
  MemoryBudget(std::uint64_t limit_bytes, std::uint32_t partitions);

  bool limited() const noexcept { return limit_ != 0; }
  std::uint64_t limit() const noexcept { return limit_; }
  /// How much a credit takes at a time. All credits together hold back at most 1/32 of the limit,
  /// so "full" may be answered that much early, and never late.
  std::uint64_t chunk() const noexcept { return chunk_; }

  bool Acquire(std::uint64_t bytes) noexcept;
  /// For what is there already: beyond the limit if it must be.
  void AcquireAnyway(std::uint64_t bytes) noexcept;
  void Release(std::uint64_t bytes) noexcept;

 private:
  const std::uint64_t limit_;
  const std::uint64_t chunk_;
  std::atomic<std::uint64_t> taken_{0};
};

/// One partition's share of a budget. Not thread-safe.
class MemoryCredit {
 public:
  explicit MemoryCredit(MemoryBudget& budget) noexcept : budget_(budget) {}
  ~MemoryCredit();
  MemoryCredit(const MemoryCredit&) = delete;
  MemoryCredit& operator=(const MemoryCredit&) = delete;

  /// False when the budget has not that much left.
  bool Take(std::uint64_t bytes) noexcept;
  /// What was given back a moment ago: others may have taken it, and then the limit is exceeded by
  /// so much.
  void TakeAnyway(std::uint64_t bytes) noexcept;
  void Give(std::uint64_t bytes) noexcept;
  /// Bytes taken and not given back.
  std::uint64_t used() const noexcept { return used_; }

 private:
  MemoryBudget& budget_;
  std::uint64_t held_ = 0;  ///< Acquired from the budget: used_ and what is kept for later.
  std::uint64_t used_ = 0;
};

}  // namespace cirein
