// SPDX-License-Identifier: Apache-2.0
#include "runtime/virtual_scheduler.h"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "base/hash.h"

namespace cirein {

VirtualScheduler::EventId VirtualScheduler::RunAt(TimePoint when, std::function<void()> work) {
  if (closed_) return 0;
  return queue_.Add(std::max(when, now_), std::move(work));
}

bool VirtualScheduler::Cancel(EventId id) { return queue_.Cancel(id) != nullptr; }

void VirtualScheduler::Close() {
  closed_ = true;
  const TimerQueue discarded = std::exchange(queue_, {});
}

bool VirtualScheduler::RunOne(TimePoint until) {
  const TimePoint next = queue_.Next();
  if (next == kEndOfTime || next > until) {
    if (until != kEndOfTime) now_ = std::max(now_, until);
    return false;
  }
  now_ = next;
  const TimerQueue::Work work = queue_.PopDue(now_);
  ++events_;
  work();
  return true;
}

void VirtualScheduler::Tell(std::string_view who, std::string_view what, std::uint64_t a,
                            std::uint64_t b) {
  const std::array<std::uint64_t, 6> words = {
      digest_, static_cast<std::uint64_t>(now_.count()), Hash64(who), Hash64(what), a, b};
  digest_ = Checksum64(std::as_bytes(std::span(words)));
  if (listener_) listener_(fmt::format("{} {} {} {} {}\n", now_.count(), who, what, a, b));
}

void VirtualScheduler::Say(std::string_view text) {
  const std::array<std::uint64_t, 3> words = {digest_, static_cast<std::uint64_t>(now_.count()),
                                              Hash64(text)};
  digest_ = Checksum64(std::as_bytes(std::span(words)));
  if (listener_) listener_(fmt::format("{} {}\n", now_.count(), text));
}

}  // namespace cirein
