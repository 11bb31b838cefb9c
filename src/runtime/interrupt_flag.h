// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "runtime/clock.h"

namespace cirein {

/// Set by the first SIGINT or SIGTERM, so that a command can end in order; a second one ends the
/// process at once. For programs, never for the library: signals belong to whoever owns main.
class InterruptFlag {
 public:
  /// Takes the signals over, the first time it is called; the flag lives until the process ends.
  static InterruptFlag& Install();

  bool IsSet() const noexcept { return set_.load(std::memory_order_acquire); }
  /// As if a signal had come, but the first real one does not end the process at once.
  void Raise() noexcept;
  /// The number of the signal that came, or 0.
  int signal_number() const noexcept { return signal_number_.load(std::memory_order_relaxed); }
  /// Blocks until it is set or the real monotonic clock shows `end`; true when it is set.
  bool WaitUntil(TimePoint end) noexcept;

 private:
  InterruptFlag();
  static void Handle(int signal_number);

  std::atomic<int> signal_number_{0};
  std::atomic<bool> set_{false};
  // Readable once the flag is set, or -1 where there was none to be had. Waited for in poll, not on
  // a futex word: poll is where a sanitizer's runtime hands a signal over that it holds back.
  const int event_;
};

}  // namespace cirein
