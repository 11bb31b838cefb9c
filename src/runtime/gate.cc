// SPDX-License-Identifier: Apache-2.0
#include "runtime/gate.h"

#include <memory>

#include "runtime/notification.h"

namespace cirein {

Gate::Holder Gate::TryEnter() noexcept {
  // Not by adding and taking back: a late visitor would look like one more who leaves last.
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if ((state & kClosed) != 0) return Holder();
  } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire,
                                         std::memory_order_relaxed));
  return Holder(this);
}

void Gate::Leave() noexcept {
  // Until somebody is told, whoever closed keeps the gate alive; so the last to leave may touch it.
  if (state_.fetch_sub(1, std::memory_order_acq_rel) == (kClosed | 1)) TellAll();
}

void Gate::Close(std::function<void()> all_left) {
  {
    std::unique_lock lock(mutex_);
    if (told_) {
      lock.unlock();
      all_left();
      return;
    }
    all_left_.push_back(std::move(all_left));
  }
  if (state_.fetch_or(kClosed, std::memory_order_acq_rel) == 0) TellAll();
}

void Gate::TellAll() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    told_ = true;
    callbacks.swap(all_left_);
  }
  // The first of these may destroy the gate.
  for (const auto& all_left : callbacks) all_left();
}

bool Gate::CloseAndWait(TimePoint end) {
  // Shared, because after a wait that ended too early the last to leave still tells it.
  const auto left = std::make_shared<Notification>();
  Close([left] { left->Notify(); });
  return left->WaitUntil(end);
}

}  // namespace cirein
