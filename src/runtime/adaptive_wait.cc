// SPDX-License-Identifier: Apache-2.0
#include "runtime/adaptive_wait.h"

#include <algorithm>
#include <sched.h>
#include <thread>

namespace cirein {
namespace {

int PollsMax() noexcept {
  static const int most = std::thread::hardware_concurrency() > 1 ? AdaptiveWait::kPollRounds : 0;
  return most;
}

void RelaxCore() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // Lasts about as long as a pause; `yield` is a no-op there.
#endif
}

}  // namespace

AdaptiveWait::AdaptiveWait() noexcept : of_use_(PollsMax()), polls_(of_use_) {}

bool AdaptiveWait::Pause() noexcept {
  if (round_ >= polls_ + kYieldRounds) return false;
  if (round_++ < polls_) {
    RelaxCore();
  } else {
    sched_yield();
  }
  return true;
}

void AdaptiveWait::Reset() noexcept {
  if (round_ == 0) return;
  // Of a wait that came to its end nothing is learnt: nobody was about to answer.
  if (round_ <= polls_) {
    of_use_ = std::max(of_use_, std::min(2 * round_, PollsMax()));
  } else if (round_ < polls_ + kYieldRounds) {
    of_use_ = std::min(std::max(of_use_ / 2, kPollRoundsMin), PollsMax());
  }
  const bool looks = --until_look_ <= 0;
  if (looks) until_look_ = kWaitsPerLook;
  polls_ = looks ? PollsMax() : of_use_;
  round_ = 0;
}

}  // namespace cirein
