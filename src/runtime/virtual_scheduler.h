// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/random.h"
#include "runtime/clock.h"
#include "runtime/timer_queue.h"

namespace cirein {

/// The one time line of a world in which time is virtual: whatever happens in any of its hosts is
/// an event here, and time jumps from one event to the next. Events of one instant happen in the
/// order in which they were planned, so that a run follows from its seed alone.
///
/// What happens is told to a journal: each line goes into a digest, by which two runs are compared,
/// and, if somebody listens, is handed on as text.
///
/// Not thread-safe: a world belongs to one thread.
class VirtualScheduler {
 public:
  using EventId = TimerQueue::TimerId;
  /// Begins at one second, as VirtualClock does and for the same reason.
  static constexpr TimePoint kStart = std::chrono::seconds(1);

  explicit VirtualScheduler(std::uint64_t seed) : random_(seed) {}
  VirtualScheduler(const VirtualScheduler&) = delete;
  VirtualScheduler& operator=(const VirtualScheduler&) = delete;

  TimePoint now() const noexcept { return now_; }
  /// For a part of the world, which draws from it alone: so that what one part draws does not
  /// change what another one gets.
  Random ForkRandom() noexcept { return random_.Fork(); }

  /// Never runs `work` inside the call; an instant that has passed is now. 0 once closed.
  EventId RunAt(TimePoint when, std::function<void()> work);
  EventId RunAfter(std::chrono::nanoseconds wait, std::function<void()> work) {
    return RunAt(wait >= kEndOfTime - now_ ? kEndOfTime : now_ + wait, std::move(work));
  }
  /// True when the event had not happened, and will not.
  bool Cancel(EventId id);

  /// Lets the next event happen, if it is due by `until`; else moves time on to `until` (but not to
  /// kEndOfTime) and says false.
  bool RunOne(TimePoint until = kEndOfTime);
  /// Destroys what is planned without letting it happen, and takes no more: the end of the world.
  void Close();
  /// Events that happened.
  std::uint64_t events() const noexcept { return events_; }
  std::size_t planned() const noexcept { return queue_.size(); }

  /// One line of the journal: who, what, and two numbers that say which.
  void Tell(std::string_view who, std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0);
  /// One line of text, without its line end.
  void Say(std::string_view text);
  /// Of all lines so far, with their times.
  std::uint64_t digest() const noexcept { return digest_; }
  /// Hands each line on, with its time and its line end. Null: nobody listens.
  void SetListener(std::function<void(std::string_view line)> listener) {
    listener_ = std::move(listener);
  }

 private:
  TimePoint now_ = kStart;
  Random random_;
  TimerQueue queue_;
  bool closed_ = false;
  std::uint64_t events_ = 0;
  std::uint64_t digest_ = 0;
  std::function<void(std::string_view line)> listener_;
};

}  // namespace cirein
