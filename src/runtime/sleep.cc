// SPDX-License-Identifier: Apache-2.0
#include "runtime/sleep.h"

#include <utility>

namespace cirein {

class Sleep::Waker {
 public:
  explicit Waker(Sleep* sleep) noexcept : sleep_(sleep) {}
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  ~Waker() { Fire(Outcome::kClosed); }

  void Fire(Outcome outcome) {
    if (Sleep* const sleep = std::exchange(sleep_, nullptr)) sleep->WakeUp(outcome);
  }
  void Forget() noexcept { sleep_ = nullptr; }

 private:
  Sleep* sleep_;
};

Sleep::~Sleep() {
  if (waker_ == nullptr) return;
  waker_->Forget();
  timers_.CancelTimer(timer_);
}

bool Sleep::await_suspend(std::coroutine_handle<> sleeper) {
  auto waker = std::make_shared<Waker>(this);
  sleeper_ = sleeper;
  waker_ = waker.get();
  timer_ = timers_.RunAt(when_, [waker] { waker->Fire(Outcome::kRested); });
  if (timer_ != 0) return true;
  // Closed: not to be woken when `waker` goes, but to go on right away.
  waker->Forget();
  waker_ = nullptr;
  outcome_ = Outcome::kClosed;
  return false;
}

void Sleep::WakeUp(Outcome outcome) {
  waker_ = nullptr;
  outcome_ = outcome;
  sleeper_.resume();  // Which may destroy this.
}

Status Sleep::await_resume() const {
  if (outcome_ != Outcome::kClosed) return OkStatus();
  return Unavailable("a coroutine was woken early because its timers were closed",
                     "the library is finishing: give the operation up");
}

}  // namespace cirein
