// SPDX-License-Identifier: Apache-2.0
#include "cirein/result_collector.h"

#include <utility>

#include <fmt/format.h>

#include "pool/collector_state.h"
#include "runtime/notification.h"
#include "runtime/real_clock.h"

namespace cirein {

ResultCollector::ResultCollector() : state_(std::make_shared<State>()) {}

// Operations under way keep the state, and find nobody in it.
ResultCollector::~ResultCollector() { state_->Clear(); }

Status ResultCollector::Wait(Deadline deadline) { return state_->Wait(deadline); }

std::size_t ResultCollector::pending() const { return state_->pending(); }

std::vector<ResultCollector::Entry> ResultCollector::results() const { return state_->results(); }

void ResultCollector::Clear() { state_->Clear(); }

ResultCollector::State::Ticket ResultCollector::State::Add(Kind kind, Pattern pattern) {
  const std::lock_guard lock(mutex_);
  Entry entry;
  entry.kind = kind;
  entry.pattern = std::move(pattern);
  entries_.push_back(std::move(entry));
  ++pending_;
  return {generation_, entries_.size() - 1};
}

void ResultCollector::State::Fill(const Ticket& ticket, const std::function<void(Entry&)>& fill) {
  std::vector<std::shared_ptr<Notification>> waiting;
  {
    const std::lock_guard lock(mutex_);
    if (ticket.generation != generation_) return;
    Entry& entry = entries_[ticket.index];
    fill(entry);
    entry.done = true;
    if (--pending_ == 0) waiting.swap(waiting_);
  }
  for (const auto& notification : waiting) notification->Notify();
}

Status ResultCollector::State::Wait(Deadline deadline) {
  const TimePoint end =
      RealClock::Instance().EndOf(deadline.Or(CurrentConfig().GetDuration("default.deadline")));
  for (;;) {
    auto notification = std::make_shared<Notification>();
    {
      const std::lock_guard lock(mutex_);
      if (pending_ == 0) return OkStatus();
      waiting_.push_back(notification);
    }
    if (notification->WaitUntil(end)) continue;
    const std::lock_guard lock(mutex_);
    std::erase(waiting_, notification);
    if (pending_ == 0) return OkStatus();
    return DeadlineExceeded(
        fmt::format("{} of {} results have not come", pending_, entries_.size()),
        "wait again, or give the calls themselves deadlines");
  }
}

std::size_t ResultCollector::State::pending() const {
  const std::lock_guard lock(mutex_);
  return pending_;
}

std::vector<ResultCollector::Entry> ResultCollector::State::results() const {
  const std::lock_guard lock(mutex_);
  return {entries_.begin(), entries_.end()};
}

void ResultCollector::State::Clear() {
  std::vector<std::shared_ptr<Notification>> waiting;
  std::deque<Entry> entries;  // Objects are let go outside of the lock.
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
    entries.swap(entries_);
    pending_ = 0;
    waiting.swap(waiting_);
  }
  for (const auto& notification : waiting) notification->Notify();
}

}  // namespace cirein
