// SPDX-License-Identifier: Apache-2.0
#include "runtime/virtual_timers.h"

#include <utility>

#include "runtime/guarded.h"

namespace cirein {

TimerService::TimerId VirtualTimers::RunAt(TimePoint when, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  return closed_ ? 0 : queue_.Add(when, std::move(work));
}

bool VirtualTimers::CancelTimer(TimerId id) {
  TimerQueue::Work cancelled;  // Destroyed after the lock is left.
  const std::lock_guard lock(mutex_);
  cancelled = queue_.Cancel(id);
  return cancelled != nullptr;
}

TimePoint VirtualTimers::NextTimer() const {
  const std::lock_guard lock(mutex_);
  return queue_.Next();
}

bool VirtualTimers::RunOne(TimePoint now) {
  TimerQueue::Work work;
  {
    const std::lock_guard lock(mutex_);
    work = queue_.PopDue(now);
  }
  if (!work) return false;
  RunGuarded("virtual timers", work);
  return true;
}

void VirtualTimers::Close() {
  TimerQueue discarded;  // Destroyed after the lock is left.
  const std::lock_guard lock(mutex_);
  closed_ = true;
  std::swap(discarded, queue_);
}

}  // namespace cirein
