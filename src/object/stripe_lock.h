// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>

#include "runtime/adaptive_wait.h"

namespace cirein {

/// Locks a partition. Two that meet wait for less than it costs to sleep and be woken.
inline std::unique_lock<std::mutex> LockSoon(std::mutex& mutex) {
  std::unique_lock lock(mutex, std::try_to_lock);
  if (lock.owns_lock()) return lock;
  for (AdaptiveWait wait; wait.Pause();) {
    if (lock.try_lock()) return lock;
  }
  lock.lock();
  return lock;
}

}  // namespace cirein
