// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cirein/deadline.h"
#include "cirein/status.h"

#include "runtime/clock.h"
#include "runtime/executor.h"
#include "runtime/timers.h"

namespace cirein {

struct WorkerPoolOptions {
  std::string name = "workers";     ///< In messages, the log, and the threads' names.
  std::size_t min_threads = 1;      ///< Started when work first asks for them; then kept.
  std::size_t threads_max = 16;     ///< With those that replace stuck ones; at least min_threads.
  std::size_t queue_max = 100'000;  ///< Pieces of work that may wait.
  /// A worker inside one piece of work for this long counts as stuck.
  std::chrono::nanoseconds stuck_after = std::chrono::seconds(1);
  /// Refuse work as soon as threads_max workers are all stuck, instead of queueing it for the day
  /// one of them returns.
  bool refuse_when_stuck = false;
};

struct WorkerPoolStats {
  std::size_t threads = 0;     ///< Those that run now.
  std::size_t stuck = 0;       ///< Of these, the ones stuck.
  std::size_t queued = 0;      ///< Pieces of work that wait.
  std::uint64_t run = 0;       ///< Pieces of work that have ended.
  std::uint64_t failed = 0;    ///< Of these, the ones that threw.
  std::uint64_t refused = 0;   ///< Submits turned away.
  std::uint64_t replaced = 0;  ///< Threads started because all others were stuck.
};

/// Threads that run user code: callbacks, compute functions. User code may block or never return,
/// so when work waits while every worker is stuck the pool grows by a thread, each stuck_after
/// again, up to threads_max; when stuck workers come back the surplus ends. Thread-safe.
class WorkerPool final : public Executor {
 public:
  /// `clock` and `timers` must outlive the pool's Close. The clock says who is stuck; a timer is
  /// set only while work waits behind busy workers. Limits of 0 are taken as 1.
  WorkerPool(WorkerPoolOptions options, Clock& clock, TimerService& timers);
  /// Closes, with a second's grace, if nobody has.
  ~WorkerPool() override;

  /// As Executor says; an error names the pool and how many of its workers are stuck. Also
  /// ResourceExhausted when not a single thread can be started.
  Status Submit(std::function<void()> work) override;

  /// Takes no more work, lets what is queued run, and waits for the workers until for `grace` of
  /// real time no piece of work has ended. Those still inside their work then are left to
  /// themselves: they touch nothing but what they share, so the pool, its clock and its timers may
  /// go; queued work that no worker got to is destroyed without having run. Both are logged, and
  /// told by the DeadlineExceeded returned. A worker that closes its own pool is left like a stuck
  /// one, without waiting for it.
  Status Close(Deadline grace);

  WorkerPoolStats Stats() const;
  const std::string& name() const noexcept;

 private:
  class State;
  // Shared with each worker, because one may be stuck for longer than the pool lives.
  const std::shared_ptr<State> state_;
};

}  // namespace cirein
