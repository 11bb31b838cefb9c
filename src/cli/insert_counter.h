// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <vector>

namespace cirein {

/// Which keys of a growing set are there: readers must only ask for keys whose publish has been
/// answered. Thread-safe; keeps as many numbers as there are inserts under way.
class InsertCounter {
 public:
  /// Keys 0 ... present-1 are there.
  explicit InsertCounter(std::uint64_t present) : next_(present), present_(present) {}

  /// The key to insert next. Must be followed by Succeeded or Failed.
  std::uint64_t Begin();
  void Succeeded(std::uint64_t key);
  /// The key is not there: another Begin will give it again.
  void Failed(std::uint64_t key);

  /// All keys less than this are there. Does not block.
  std::uint64_t present() const noexcept { return present_.load(std::memory_order_acquire); }

 private:
  std::mutex mutex_;
  std::uint64_t next_;
  std::vector<std::uint64_t> failed_;
  std::set<std::uint64_t> ahead_;  // There, but one before them is not yet.
  std::atomic<std::uint64_t> present_;
};

}  // namespace cirein
