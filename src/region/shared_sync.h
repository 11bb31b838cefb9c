// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

#include "cirein/status.h"

namespace cirein {

/// One call of the system that makes everything written before it persistent, shared by all threads
/// that wait for it: one of them leads and calls, the others sleep; who comes while a call is under
/// way needs the next one. The first failure sticks. Thread-safe.
///
/// Writers who do nothing but write and wait would fall into two halves: one comes back from a call
/// just after the other half's call began. So the next call waits a little, at most as long as the
/// last one took, for those whom the last one served, and gives that up for a while when they did
/// not come.
class SharedSync {
 public:
  explicit SharedSync(std::function<Status()> sync) : sync_(std::move(sync)) {}

  /// Returns when a call that began after this one has ended, or with the failure that stuck.
  /// Blocks.
  Status Wait();
  /// Calls made so far.
  std::uint64_t calls() const;

 private:
  using Clock = std::chrono::steady_clock;

  void Gather(std::unique_lock<std::mutex>& lock);
  void Lead(std::unique_lock<std::mutex>& lock);
  void Ended(Clock::time_point begin, std::uint64_t served);

  const std::function<Status()> sync_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::uint64_t begun_ = 0;
  std::uint64_t done_ = 0;  // Calls end in the order in which they begin: there is one at a time.
  Status failure_;

  std::uint64_t waiting_ = 0;   // Who needs the call that has not begun.
  std::uint64_t expected_ = 0;  // How many there will be soon, if all come back.
  Clock::time_point gather_until_;
  std::uint64_t in_vain_ = 0;     // How often in a row they did not come back.
  std::uint64_t wait_again_ = 0;  // From this call on.
};

}  // namespace cirein
