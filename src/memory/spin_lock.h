// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "runtime/adaptive_wait.h"

namespace cirein {

/// A lock for sections of a few dozen instructions that make no call. It costs one atomic
/// read-modify-write where a mutex costs two. Hot paths only try it and have something else to do
/// when it is taken; Lock is for rare ones.
class SpinLock {
 public:
  bool TryLock() noexcept {
    return !locked_.load(std::memory_order_relaxed) &&
           !locked_.exchange(true, std::memory_order_acquire);
  }
  void Lock() noexcept {
    AdaptiveWait wait;
    while (!TryLock()) {
      if (!wait.Pause()) wait.Reset();
    }
  }
  void Unlock() noexcept { locked_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> locked_{false};
};

}  // namespace cirein
