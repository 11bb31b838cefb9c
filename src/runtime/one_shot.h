// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/timers.h"

namespace cirein {

/// A value that is set once, on any thread, and awaited by one coroutine, which goes on at its
/// home: the thread of a TimerService. Copies are handles to the same value, so the one who sets
/// and the one who waits may each be gone before the other. When the home is closed, the coroutine
/// goes on wherever the value is set or the home's timers are destroyed.
///
///   OneShot<Answer> answer(reactor);
///   Ask([answer](Answer a) { answer.Set(std::move(a)); });
///   Answer a = co_await answer.Wait();
template <typename T>
class OneShot {
 public:
  explicit OneShot(TimerService& home) : state_(std::make_shared<State>(home)) {}

  /// False when it was set before; then nothing changes. Thread-safe, does not block.
  bool Set(T value) const {
    {
      const std::lock_guard lock(state_->mutex);
      if (state_->set) return false;
      state_->set = true;
      state_->value.emplace(std::move(value));
      if (!state_->waiter) return true;
    }
    // Through a timer that is due at once, because timers have no bound that could refuse it.
    const auto waker = std::make_shared<Waker>(state_);
    state_->home.RunAt(TimePoint::zero(), [waker] { waker->Wake(); });
    return true;
  }

  class [[nodiscard]] Awaiter;
  /// Awaited once, by one coroutine. `home` must still exist then.
  Awaiter Wait() const { return Awaiter(state_); }

 private:
  struct State {
    explicit State(TimerService& service) : home(service) {}
    TimerService& home;
    std::mutex mutex;
    bool set = false;
    std::optional<T> value;
    std::coroutine_handle<> waiter;

    void Resume() {
      std::coroutine_handle<> resumed;
      {
        const std::lock_guard lock(mutex);
        resumed = std::exchange(waiter, nullptr);
      }
      if (resumed) resumed.resume();
    }
  };

  // Wakes when it runs, or when it is destroyed without having run because the home was closed.
  class Waker {
   public:
    explicit Waker(std::shared_ptr<State> state) : state_(std::move(state)) {}
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;
    ~Waker() { Wake(); }
    void Wake() {
      if (const auto state = std::exchange(state_, nullptr)) state->Resume();
    }

   private:
    std::shared_ptr<State> state_;
  };

  std::shared_ptr<State> state_;
};

template <typename T>
class OneShot<T>::Awaiter {
 public:
  explicit Awaiter(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;
  // A coroutine that is destroyed while it waits is not resumed any more.
  ~Awaiter() {
    const std::lock_guard lock(state_->mutex);
    state_->waiter = nullptr;
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    const std::lock_guard lock(state_->mutex);
    if (state_->set) return false;
    state_->waiter = waiter;
    return true;
  }
  T await_resume() {
    const std::lock_guard lock(state_->mutex);
    return std::move(*state_->value);
  }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace cirein
