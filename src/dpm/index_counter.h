// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace cirein::dpm {

/// A number that one thread changes and others may look at.
class IndexCounter {
 public:
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
  void Set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void Add(std::uint64_t by) noexcept { Set(get() + by); }
  void Subtract(std::uint64_t by) noexcept { Set(get() - by); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace cirein::dpm
