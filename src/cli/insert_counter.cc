// SPDX-License-Identifier: Apache-2.0
#include "cli/insert_counter.h"

namespace cirein {

std::uint64_t InsertCounter::Begin() {
  const std::lock_guard lock(mutex_);
  if (failed_.empty()) return next_++;
  const std::uint64_t key = failed_.back();
  failed_.pop_back();
  return key;
}

void InsertCounter::Succeeded(std::uint64_t key) {
  const std::lock_guard lock(mutex_);
  ahead_.insert(key);
  std::uint64_t present = present_.load(std::memory_order_relaxed);
  while (!ahead_.empty() && *ahead_.begin() == present) {
    ahead_.erase(ahead_.begin());
    ++present;
  }
  present_.store(present, std::memory_order_release);
}

void InsertCounter::Failed(std::uint64_t key) {
  const std::lock_guard lock(mutex_);
  failed_.push_back(key);
}

}  // namespace cirein
