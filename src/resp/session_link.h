// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/clock.h"
#include "runtime/timers.h"

namespace cirein::resp {

class Session;

/// The way back to a session for those who answer later and from elsewhere: it may be gone by then,
/// and its thread too. Thread-safe.
class SessionLink : public std::enable_shared_from_this<SessionLink> {
 public:
  SessionLink(Session& session, TimerService& timers) : session_(&session), timers_(&timers) {}

  /// The session is about to go. On its thread.
  void Cut() {
    const std::lock_guard lock(mutex_);
    session_ = nullptr;
    timers_ = nullptr;
  }
  /// Runs `work` on the session's thread, soon; never if the session is gone by then.
  void Post(std::function<void(Session& session)> work) {
    const std::lock_guard lock(mutex_);
    if (timers_ == nullptr) return;
    timers_->RunAt(TimePoint::zero(), [link = shared_from_this(), work = std::move(work)] {
      // Nobody cuts it but this thread.
      if (Session* const session = link->Get()) work(*session);
    });
  }

 private:
  Session* Get() {
    const std::lock_guard lock(mutex_);
    return session_;
  }

  std::mutex mutex_;
  Session* session_;
  TimerService* timers_;
};

}  // namespace cirein::resp
