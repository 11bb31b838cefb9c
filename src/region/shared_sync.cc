// SPDX-License-Identifier: Apache-2.0
#include "region/shared_sync.h"

#include <utility>

namespace cirein {

Status SharedSync::Wait() {
  std::unique_lock lock(mutex_);
  const std::uint64_t needed = begun_ + 1;
  while (failure_.ok() && done_ < needed) {
    if (begun_ == done_) {
      Lead(lock);
    } else {
      ended_.wait(lock);
    }
  }
  // A call that ended well before another failed kept what it was called for.
  return done_ >= needed ? OkStatus() : failure_;
}

void SharedSync::Lead(std::unique_lock<std::mutex>& lock) {
  ++begun_;
  lock.unlock();
  Status outcome = sync_();
  lock.lock();
  if (outcome.ok()) {
    done_ = begun_;
  } else {
    failure_ = std::move(outcome);
  }
  ended_.notify_all();
}

std::uint64_t SharedSync::calls() const {
  const std::lock_guard lock(mutex_);
  return begun_;
}

}  // namespace cirein
