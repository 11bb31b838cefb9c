// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "cirein/operations.h"

#include "runtime/environment.h"
#include "runtime/guarded.h"

namespace cirein {

class PendingTable;

/// While one lives, this thread gives answers and is perhaps a backend's own: a connection whose
/// last reference goes here is ended on another thread. They nest. Of one thread.
class AnsweringHere {
 public:
  AnsweringHere() noexcept;
  ~AnsweringHere();
  AnsweringHere(const AnsweringHere&) = delete;
  AnsweringHere& operator=(const AnsweringHere&) = delete;

  /// Whether this thread has one.
  static bool now() noexcept;
};

/// An operation that a pool handle has begun and nobody has answered yet. It is answered once, by
/// whoever comes first: the backend, its deadline, a cancel, or the end of the library.
class PendingBase : public Operation::Impl {
 public:
  PendingBase(const PendingBase&) = delete;
  PendingBase& operator=(const PendingBase&) = delete;
  ~PendingBase() override = default;

  bool done() const override { return answered_.load(std::memory_order_seq_cst); }

  /// Answers with an error and tells the backend to forget it; false when it was answered already.
  virtual bool Abandon(Status status) = 0;
  /// Abandons it because its deadline passed.
  virtual void Expire() = 0;

 protected:
  PendingBase() = default;
  bool Claim() noexcept { return !answered_.exchange(true, std::memory_order_seq_cst); }

 private:
  friend class PendingTable;
  std::atomic<bool> answered_{false};
  // The table's list; guarded by its lock.
  PendingBase* previous_ = nullptr;
  PendingBase* next_ = nullptr;
  std::shared_ptr<PendingBase> self_;  ///< While it is in the table.
};

/// All operations under way, so that the end of the library can answer them and their number has a
/// bound. Thread-safe: lists by address, each with a lock.
class PendingTable {
 public:
  explicit PendingTable(std::uint64_t limit) : limit_(limit) {}
  PendingTable(const PendingTable&) = delete;
  PendingTable& operator=(const PendingTable&) = delete;

  /// ResourceExhausted at the limit, Unavailable once closed.
  Status Add(std::shared_ptr<PendingBase> pending);
  /// It was answered; its place under the limit is kept until Release.
  void Remove(PendingBase& pending);
  /// The user's callback has run.
  void Release() noexcept { count_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

  /// Answers everything with `status`, and refuses what comes later.
  void Close(const Status& status);

 private:
  struct alignas(64) List {
    std::mutex mutex;
    PendingBase* first = nullptr;
    bool closed = false;
  };
  List& ListOf(const PendingBase& pending) noexcept;
  static std::shared_ptr<PendingBase> Unlink(List& list, PendingBase& pending);

  const std::uint64_t limit_;
  std::atomic<std::uint64_t> count_{0};
  std::array<List, 16> lists_;
};

/// Gives an answer to user code on this thread, when there is no other: an exception out of it is
/// logged and counted, as it is on a callback thread.
template <typename T>
void CallInPlace(const std::function<void(Result<T>)>& callback, Result<T> result) {
  if (!callback) return;
  RunGuarded("callback", [&] { callback(std::move(result)); });
}

/// Where an answer goes: to user code on a callback thread, or to code of ours where it arises.
enum class Delivery : std::uint8_t { kOnCallbackThread, kInPlace };

/// An operation whose answer is a Result<T>. Make it, Begin it, call the backend with Sink() and
/// hand what that returns to Started.
template <typename T>
class Pending final : public PendingBase, public std::enable_shared_from_this<Pending<T>> {
 public:
  using Callback = std::function<void(Result<T>)>;

  /// `what` names it in errors: "need \"run/42\"".
  /// `owner` keeps backend, table and environment alive until the callback has run.
  Pending(std::shared_ptr<const void> owner, PendingTable& table, const Environment& environment,
          std::string what, Callback callback, Delivery delivery)
      : owner_(std::move(owner)),
        table_(table),
        environment_(&environment),
        what_(std::move(what)),
        callback_(std::move(callback)),
        delivery_(delivery) {}

  /// Who holds it last may be a backend, after its callback was dropped without having run.
  ~Pending() override {
    const AnsweringHere here;
    owner_.reset();
  }

  /// Counts it. When it is refused the callback has been told, in place.
  bool Begin() {
    const Status status = table_.Add(this->shared_from_this());
    if (status.ok()) return true;
    if (Claim()) CallInPlace<T>(callback_, status);
    return false;
  }

  Callback Sink() {
    return [self = this->shared_from_this()](Result<T> result) { self->Answer(std::move(result)); };
  }

  /// The backend's handle, and the deadline from now on; kEndOfTime for none.
  Operation Started(Operation inner, TimePoint end) {
    inner_ = std::move(inner);
    inner_set_.store(true, std::memory_order_seq_cst);
    if (end != kEndOfTime && !done()) {
      timer_.store(environment_->timers.RunAt(end,
                                              [weak = this->weak_from_this()] {
                                                if (const auto self = weak.lock()) self->Expire();
                                              }),
                   std::memory_order_seq_cst);
    }
    if (!done()) return Operation(this->shared_from_this());
    // Whoever answered meanwhile may have missed the handle or the timer.
    CancelTimer();
    if (abandoned_.load(std::memory_order_seq_cst)) inner_.Cancel();
    return Operation();
  }

  bool Abandon(Status status) override {
    const auto keep = this->shared_from_this();
    abandoned_.store(true, std::memory_order_seq_cst);  // Before the claim that makes it count.
    if (!Claim()) return false;
    table_.Remove(*this);
    CancelTimer();
    if (inner_set_.load(std::memory_order_seq_cst)) inner_.Cancel();
    Deliver(std::move(status));
    return true;
  }

  void Expire() override {
    Abandon(DeadlineExceeded(what_ + ": the deadline passed before there was an answer"));
  }

  bool Cancel() override { return Abandon(Cancelled(what_ + " was given up")); }

 private:
  void Answer(Result<T> result) {
    if (!Claim()) return;
    table_.Remove(*this);
    CancelTimer();
    Deliver(std::move(result));
  }

  void CancelTimer() {
    if (const auto id = timer_.exchange(0, std::memory_order_seq_cst); id != 0) {
      environment_->timers.CancelTimer(id);
    }
  }

  void Deliver(Result<T> result) {
    if (delivery_ == Delivery::kInPlace) return RunHere(std::move(result));
    result_ = std::make_unique<Result<T>>(std::move(result));
    const auto self = this->shared_from_this();
    const Status submitted =
        environment_->callbacks.Submit([self] { self->Run(std::move(*self->result_)); });
    // The queue is as long as the bound on operations, so this happens only as the library ends, or
    // when the system refuses the very first thread.
    if (!submitted.ok()) RunGuarded("callback", [this] { RunHere(std::move(*result_)); });
  }

  // On the thread that answers, which the backend's end may wait for.
  void RunHere(Result<T>&& result) {
    const AnsweringHere here;
    Run(std::move(result));
  }

  // Releases its place also when the callback throws.
  void Run(Result<T> result) {
    // Dropped last: the backend may go with it, and all that this refers to.
    const std::shared_ptr<const void> owner = std::move(owner_);
    struct Releaser {
      PendingTable& table;
      ~Releaser() { table.Release(); }
    } releaser{table_};
    Callback callback = std::move(callback_);
    callback_ = nullptr;
    result_.reset();
    if (callback) callback(std::move(result));
  }

  std::shared_ptr<const void> owner_;
  PendingTable& table_;
  const Environment* const environment_;
  const std::string what_;
  Callback callback_;
  const Delivery delivery_;
  std::unique_ptr<Result<T>> result_;  ///< From the answer to the callback.
  Operation inner_;                    ///< Set once, before inner_set_.
  std::atomic<bool> inner_set_{false};
  std::atomic<bool> abandoned_{false};
  std::atomic<TimerService::TimerId> timer_{0};
};

}  // namespace cirein
