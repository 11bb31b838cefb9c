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
/// One that is used for many waits learns how long polling is of use: where what is waited for
/// comes only once the core was yielded, since it comes from the same core, it polls less and less;
/// a longer look now and then tells when that has changed.
///
/// Belongs to one thread. On a machine with one core it does not poll.
class AdaptiveWait {
 public:
  /// About 2 us of polling at most, then about 10 us of yielding when nobody else wants the core.
  static constexpr int kPollRounds = 32;
  static constexpr int kYieldRounds = 48;
  /// Never less than this, about what an answer from another core takes: else a few answers
  /// that came late would make it yield where polling would do.
  static constexpr int kPollRoundsMin = 8;
  /// Every so many waits are a longer look.
  static constexpr int kWaitsPerLook = 64;

  AdaptiveWait() noexcept;
  /// Passes a moment; false, at once, when patience is at its end and the caller should block.
  bool Pause() noexcept;
  /// Something happened: patience begins anew.
  void Reset() noexcept;

 private:
  int of_use_;          // So many rounds of polling have been of use lately.
  int polls_;           // Of this wait.
  int round_ = 0;       // Of this wait.
  int until_look_ = 0;  // Waits before the next longer look.
};

}  // namespace cirein
