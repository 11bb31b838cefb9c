// SPDX-License-Identifier: Apache-2.0
#include "runtime/adaptive_wait.h"

#include <sched.h>
#include <thread>

namespace cirein {
namespace {

int FirstRound() noexcept {
  static const int first = std::thread::hardware_concurrency() > 1 ? 0 : AdaptiveWait::kPollRounds;
  return first;
}

void RelaxCore() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // Lasts about as long as a pause; `yield` is a no-op there.
#endif
}

}  // namespace

AdaptiveWait::AdaptiveWait() noexcept : round_(FirstRound()) {}

bool AdaptiveWait::Pause() noexcept {
  if (round_ >= kPollRounds + kYieldRounds) return false;
  if (round_++ < kPollRounds) {
    RelaxCore();
  } else {
    sched_yield();
  }
  return true;
}

void AdaptiveWait::Reset() noexcept { round_ = FirstRound(); }

}  // namespace cirein
