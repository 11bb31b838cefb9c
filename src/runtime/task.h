// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "cirein/status.h"

namespace cirein {

template <typename T>
class Task;

namespace internal {

// What the promises of all Tasks share: who waits for the end, and the exception that was it.
class TaskPromiseBase {
 public:
  // Lazy: nothing runs before somebody awaits.
  std::suspend_always initial_suspend() const noexcept { return {}; }

  // At the end whoever waits goes on in this one's place: by symmetric transfer, so that a chain of
  // tasks needs no stack.
  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      return ended.promise().continuation_;
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() const noexcept { return {}; }

  void unhandled_exception() noexcept { error_ = std::current_exception(); }
  void set_continuation(std::coroutine_handle<> continuation) noexcept {
    continuation_ = continuation;
  }

 protected:
  void RethrowError() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::coroutine_handle<> continuation_ = std::noop_coroutine();
  std::exception_ptr error_;
};

template <typename T>
class TaskPromise final : public TaskPromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <std::convertible_to<T> Value>
  void return_value(Value&& value) {
    value_.emplace(std::forward<Value>(value));
  }
  T TakeResult() {
    RethrowError();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void TakeResult() const { RethrowError(); }
};

}  // namespace internal

/// A coroutine that computes a T: it starts when it is awaited, once, and its result or exception
/// goes to whoever awaits it.
///
///   Task<Status> Retry(Reactor& reactor) {
///     for (int attempt = 0; attempt < 3; ++attempt) {
///       if (co_await Send()) co_return OkStatus();
///       CIREIN_CO_RETURN_IF_ERROR(co_await SleepFor(reactor, 10ms));
///     }
///     ...
///
/// It owns its frame: one that is dropped before it was awaited, or in the middle, is destroyed
/// with everything in it. It stays on the thread of whatever resumes it: the awaitables of runtime/
/// resume on their reactor's. Arguments that are references must outlive it. Move-only, not
/// thread-safe.
template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::TaskPromise<T>;

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      Destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  ~Task() { Destroy(); }

  /// Starts it, and resumes the awaiting coroutine with its result. Only as `co_await
  /// std::move(task)` or `co_await Call()`.
  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> frame;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        frame.promise().set_continuation(awaiting);
        return frame;
      }
      T await_resume() const { return frame.promise().TakeResult(); }
    };
    return Awaiter{frame_};
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  void Destroy() noexcept {
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }

  std::coroutine_handle<promise_type> frame_;
};

namespace internal {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

}  // namespace internal
}  // namespace cirein

/// As CIREIN_RETURN_IF_ERROR, in a coroutine.
#define CIREIN_CO_RETURN_IF_ERROR(expression)                                 \
  do {                                                                        \
    if (::cirein::Status cirein_status_ = (expression); !cirein_status_.ok()) \
      co_return cirein_status_;                                               \
  } while (false)
