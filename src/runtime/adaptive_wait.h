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
/// One that is used for many waits learns whether polling is of use: where what is waited for comes
/// only once the core was yielded, time and again, since it comes from the same core, it polls
/// less; a longer look now and then tells when that has changed.
///
/// Belongs to one thread. On a machine with one core it does not poll.
class AdaptiveWait {
 public:
  /// About 2 us of polling at most, then about 10 us of yielding when nobody else wants the core.
  static constexpr int kPollRounds = 32;
  static constexpr int kYieldRounds = 48;
  /// After so many waits in a row that polling did not end it polls for less: about as long as an
  /// answer from another core takes. A few that came late are no reason, for where others want the
  /// core each yield may take milliseconds.
  static constexpr int kMissesMax = 16;
  static constexpr int kFewPollRounds = 8;
  /// Of those waits every so many is a longer look.
  static constexpr int kWaitsPerLook = 64;

  AdaptiveWait() noexcept;
  /// Passes a moment; false, at once, when patience is at its end and the caller should block.
  bool Pause() noexcept;
  /// Something happened: patience begins anew.
  void Reset() noexcept;

 private:
  int polls_;       // Of this wait.
  int round_ = 0;   // Of this wait.
  int misses_ = 0;  // In a row.
};

}  // namespace cirein
