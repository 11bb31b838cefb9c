// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

#include "cirein/status.h"

namespace cirein {

/// One call of the system that makes everything written before it persistent, shared by all threads
/// that wait for it: one of them leads and calls, the others sleep; who comes while a call is under
/// way needs the next one. The first failure sticks. Thread-safe.
class SharedSync {
 public:
  explicit SharedSync(std::function<Status()> sync) : sync_(std::move(sync)) {}

  /// Returns when a call that began after this one has ended, or with the failure that stuck.
  /// Blocks.
  Status Wait();
  /// Calls made so far.
  std::uint64_t calls() const;

 private:
  void Lead(std::unique_lock<std::mutex>& lock);

  const std::function<Status()> sync_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::uint64_t begun_ = 0;
  std::uint64_t done_ = 0;  // Calls end in the order in which they begin: there is one at a time.
  Status failure_;
};

}  // namespace cirein
