// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cirein {

/// How a thread waits before it blocks: it polls a little, then yields the core a bounded number of
/// times, then should block. Polling catches an answer from another core in under a microsecond;
/// yielding is there because polling never ends well when both sides share a core; blocking because
/// idleness must cost nothing, although waking a sleeping core costs 20 us and more.
///
///   AdaptiveWait wait;
///   while (!ready()) if (!wait.Pause()) { Block(); }
///
/// Belongs to one thread. On a machine with one core it does not poll.
class AdaptiveWait {
 public:
  /// About 2 us of polling, then about 10 us of yielding when nobody else wants the core.
  static constexpr int kPollRounds = 32;
  static constexpr int kYieldRounds = 48;

  AdaptiveWait() noexcept;
  /// Passes a moment; false, at once, when patience is at its end and the caller should block.
  bool Pause() noexcept;
  /// Something happened: patience begins anew.
  void Reset() noexcept;

 private:
  int round_;
};

}  // namespace cirein
