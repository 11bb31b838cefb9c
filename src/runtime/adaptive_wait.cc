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

AdaptiveWait::AdaptiveWait() noexcept : polls_(PollsMax()) {}

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
    misses_ = 0;
  } else if (round_ < polls_ + kYieldRounds) {
    ++misses_;
  }
  const bool looks = misses_ >= kMissesMax + kWaitsPerLook;
  if (looks) misses_ = kMissesMax;
  polls_ = misses_ < kMissesMax || looks ? PollsMax() : std::min(kFewPollRounds, PollsMax());
  round_ = 0;
}

}  // namespace cirein
