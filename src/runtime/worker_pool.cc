// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/units.h"
#include "runtime/adaptive_wait.h"
#include "runtime/guarded.h"
#include "runtime/thread.h"

namespace cirein {
namespace {

constexpr Deadline kDefaultGrace = std::chrono::seconds(1);
// A century: as good as for ever, and the end of the wait does not overflow.
constexpr std::chrono::nanoseconds kLongestWait = std::chrono::hours(876'000);

WorkerPoolOptions WithinLimits(WorkerPoolOptions options) {
  options.min_threads = std::max<std::size_t>(options.min_threads, 1);
  options.threads_max = std::max(options.threads_max, options.min_threads);
  options.queue_max = std::max<std::size_t>(options.queue_max, 1);
  return options;
}

}  // namespace

// All of the pool. Workers hold it by shared_ptr, and after `abandoned_` is set touch nothing else:
// not the clock, not the timers.
class WorkerPool::State : public std::enable_shared_from_this<State> {
 public:
  State(WorkerPoolOptions options, Clock& clock, TimerService& timers)
      : options_(WithinLimits(std::move(options))), clock_(clock), timers_(timers) {}

  const WorkerPoolOptions& options() const { return options_; }
  Status Submit(std::function<void()>& work);
  Status Close(Deadline grace);
  WorkerPoolStats Stats() const;

 private:
  struct Worker {
    std::thread thread;                   // Not joinable once the worker has been left to itself.
    TimePoint inside_since = kEndOfTime;  // kEndOfTime: between two pieces of work.
  };

  // What follows is called with the lock held; a unique_lock argument says that it is given up in
  // between.
  Status CheckRoom();
  Status StartWorker();
  void Replace();
  std::size_t CountStuck() const;
  bool IsStuck() const { return CountStuck() == workers_.size(); }
  bool IsSurplus() const;
  void SetTimer();
  void RunOne(Worker& self, std::unique_lock<std::mutex>& lock);
  void WaitForWork(AdaptiveWait& patience, std::unique_lock<std::mutex>& lock);
  std::thread EndWorker(std::uint64_t id);
  std::size_t LeaveWorkers();

  // These take the lock.
  void WorkerLoop(std::uint64_t id);
  void OnTimer();

  const WorkerPoolOptions options_;
  Clock& clock_;
  TimerService& timers_;

  mutable std::mutex mutex_;
  std::condition_variable work_came_;
  std::condition_variable worker_ended_;
  std::deque<std::function<void()>> queue_;
  std::atomic<std::size_t> queued_{0};  // queue_.size(), for workers that look without the lock.
  std::map<std::uint64_t, Worker> workers_;
  std::thread last_ended_;  // The thread that ended last; it has joined the one before it.
  std::uint64_t next_worker_ = 1;
  std::size_t idle_ = 0;      // Workers between two pieces of work.
  std::size_t sleeping_ = 0;  // Of these, the ones that need a signal.
  TimerService::TimerId timer_ = 0;
  bool closing_ = false;
  bool abandoned_ = false;
  WorkerPoolStats counts_;
};

WorkerPool::WorkerPool(WorkerPoolOptions options, Clock& clock, TimerService& timers)
    : state_(std::make_shared<State>(std::move(options), clock, timers)) {}

WorkerPool::~WorkerPool() {
  // Close has logged whatever there is to tell.
  static_cast<void>(state_->Close(kDefaultGrace));
}

Status WorkerPool::Submit(std::function<void()> work) { return state_->Submit(work); }
Status WorkerPool::Close(Deadline grace) { return state_->Close(grace.Or(kDefaultGrace)); }
WorkerPoolStats WorkerPool::Stats() const { return state_->Stats(); }
const std::string& WorkerPool::name() const noexcept { return state_->options().name; }

Status WorkerPool::State::Submit(std::function<void()>& work) {
  const std::lock_guard lock(mutex_);
  if (Status room = CheckRoom(); !room.ok()) {
    ++counts_.refused;
    return room;
  }
  queue_.push_back(std::move(work));
  queued_.store(queue_.size(), std::memory_order_release);
  if (queue_.size() <= idle_) {
    // Idle workers that are awake look at the queue before they sleep.
    if (queue_.size() > idle_ - sleeping_) work_came_.notify_one();
    return OkStatus();
  }
  if (workers_.size() < options_.min_threads) {
    Status started = StartWorker();
    if (!started.ok() && workers_.empty()) {
      work = std::move(queue_.back());  // To be destroyed by the caller, without the lock.
      queue_.pop_back();
      queued_.store(queue_.size(), std::memory_order_release);
      ++counts_.refused;
      return started;
    }
  } else if (workers_.size() < options_.threads_max && IsStuck()) {
    Replace();
  }
  SetTimer();
  return OkStatus();
}

Status WorkerPool::State::CheckRoom() {
  if (closing_) return Unavailable(fmt::format("worker pool '{}' is closed", options_.name));
  const bool full = queue_.size() >= options_.queue_max;
  const bool at_bound = options_.refuse_when_stuck && workers_.size() >= options_.threads_max;
  if (!full && !at_bound) return OkStatus();
  const std::size_t stuck = CountStuck();
  if (full) {
    return ResourceExhausted(
        fmt::format(
            "the queue of worker pool '{}' is full: {} pieces of work wait, and {} of its {} "
            "workers (at most {}) have been inside one for longer than {}",
            options_.name, queue_.size(), stuck, workers_.size(), options_.threads_max,
            FormatDuration(options_.stuck_after)),
        stuck > 0
            ? "user code blocks or never ends: find it with a debugger in the threads of that "
              "name, or give the pool more threads"
            : "send less at a time, or give the pool more threads or a longer queue");
  }
  if (stuck < workers_.size()) return OkStatus();
  return ResourceExhausted(
      fmt::format(
          "all {} workers of pool '{}' are stuck: each has been inside one piece of work for "
          "longer than {}",
          stuck, options_.name, FormatDuration(options_.stuck_after)),
      "user code blocks or never ends: find it with a debugger in the threads of that name, or "
      "give "
      "the pool more threads");
}

Status WorkerPool::State::StartWorker() {
  const std::uint64_t id = next_worker_++;
  auto thread =
      StartThread(options_.name, [self = shared_from_this(), id] { self->WorkerLoop(id); });
  if (!thread.ok()) {
    LogWarn("runtime", "worker pool '{}': {}", options_.name, thread.status().ToString());
    return thread.status();
  }
  workers_[id].thread = std::move(*thread);
  ++idle_;
  return OkStatus();
}

void WorkerPool::State::Replace() {
  const std::size_t stuck = workers_.size();
  if (!StartWorker().ok()) return;
  ++counts_.replaced;
  LogWarn("runtime",
          "worker pool '{}': all {} workers have been inside one piece of work for longer than {}; "
          "started one more (at most {})",
          options_.name, stuck, FormatDuration(options_.stuck_after), options_.threads_max);
}

std::size_t WorkerPool::State::CountStuck() const {
  const TimePoint now = clock_.Now();
  return static_cast<std::size_t>(
      std::count_if(workers_.begin(), workers_.end(), [this, now](const auto& entry) {
        const TimePoint since = entry.second.inside_since;
        return since != kEndOfTime && now - since >= options_.stuck_after;
      }));
}

bool WorkerPool::State::IsSurplus() const {
  return workers_.size() > options_.min_threads &&
         workers_.size() - CountStuck() > options_.min_threads;
}

// While more work waits than workers are free, looks again when all workers would be stuck if none
// came back until then.
void WorkerPool::State::SetTimer() {
  if (timer_ != 0 || queue_.size() <= idle_ || workers_.size() >= options_.threads_max) return;
  TimePoint latest = TimePoint::min();
  for (const auto& [id, worker] : workers_) {
    if (worker.inside_since != kEndOfTime) latest = std::max(latest, worker.inside_since);
  }
  const TimePoint now = clock_.Now();
  if (latest == TimePoint::min() || now - latest >= options_.stuck_after) latest = now;
  const TimePoint when =
      options_.stuck_after >= kEndOfTime - latest ? kEndOfTime : latest + options_.stuck_after;
  timer_ = timers_.RunAt(when, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnTimer();
  });
}

void WorkerPool::State::OnTimer() {
  const std::lock_guard lock(mutex_);
  timer_ = 0;
  if (abandoned_) return;
  if (!queue_.empty() && workers_.size() < options_.threads_max && IsStuck()) Replace();
  SetTimer();
}

void WorkerPool::State::WorkerLoop(std::uint64_t id) {
  AdaptiveWait patience;
  std::unique_lock lock(mutex_);
  Worker& self = workers_[id];  // A map's values stay where they are.
  for (;;) {
    if (!queue_.empty()) {
      RunOne(self, lock);
      patience.Reset();
    } else if (closing_ || IsSurplus()) {
      break;
    } else {
      WaitForWork(patience, lock);
    }
  }
  std::thread ended_before = EndWorker(id);
  lock.unlock();
  // Without the lock, for the thread's destructors of thread-local objects are user code too.
  if (ended_before.joinable()) ended_before.join();
}

void WorkerPool::State::RunOne(Worker& self, std::unique_lock<std::mutex>& lock) {
  std::function<void()> work = std::move(queue_.front());
  queue_.pop_front();
  queued_.store(queue_.size(), std::memory_order_release);
  --idle_;
  self.inside_since = clock_.Now();
  lock.unlock();
  const bool ok = RunGuarded(options_.name, work);
  work = nullptr;  // What it captured is user code as well, and goes without the lock.
  lock.lock();
  self.inside_since = kEndOfTime;
  ++idle_;
  ++counts_.run;
  if (!ok) ++counts_.failed;
}

void WorkerPool::State::WaitForWork(AdaptiveWait& patience, std::unique_lock<std::mutex>& lock) {
  // A little patience saves producer and worker a system call each, and the wake of a core.
  lock.unlock();
  bool patient = true;
  while (queued_.load(std::memory_order_acquire) == 0 && (patient = patience.Pause())) {
  }
  lock.lock();
  if (patient || !queue_.empty() || closing_) return;
  ++sleeping_;
  work_came_.wait(lock);
  --sleeping_;
}

// Each thread joins the one that ended before it and is joined by the next, or by Close: so none
// gathers up, and nobody waits for a thread under the lock.
std::thread WorkerPool::State::EndWorker(std::uint64_t id) {
  const auto self = workers_.find(id);
  std::thread before;
  if (self->second.thread.joinable()) {
    before = std::exchange(last_ended_, std::move(self->second.thread));
  }
  workers_.erase(self);
  --idle_;
  worker_ended_.notify_all();
  return before;
}

Status WorkerPool::State::Close(Deadline grace) {
  std::unique_lock lock(mutex_);
  closing_ = true;
  work_came_.notify_all();
  const auto is_self = [](const auto& entry) {
    return entry.second.thread.get_id() == std::this_thread::get_id();
  };
  const auto all_ended = [&] {
    return abandoned_ || std::all_of(workers_.begin(), workers_.end(), is_self);
  };
  if (grace.is_none()) {
    worker_ended_.wait(lock, all_ended);
  } else {
    // Work that goes on being done is waited for, however much there is.
    std::uint64_t run_before = 0;
    do {
      run_before = counts_.run;
      worker_ended_.wait_for(lock, std::min(grace.after(), kLongestWait), all_ended);
    } while (!all_ended() && counts_.run != run_before);
  }
  if (std::exchange(abandoned_, true)) return OkStatus();  // Another Close has done the rest.
  const std::size_t left = LeaveWorkers();
  const auto dropped = std::exchange(queue_, {});
  queued_.store(0, std::memory_order_release);
  const TimerService::TimerId timer = std::exchange(timer_, 0);
  std::thread ended = std::exchange(last_ended_, {});
  lock.unlock();

  worker_ended_.notify_all();
  if (timer != 0) timers_.CancelTimer(timer);
  if (ended.joinable()) ended.join();
  if (left == 0 && dropped.empty()) return OkStatus();
  LogWarn("runtime",
          "worker pool '{}': closed while {} workers were inside user code; they are left to "
          "themselves, and {} pieces of queued work are dropped",
          options_.name, left, dropped.size());
  return DeadlineExceeded(
      fmt::format("worker pool '{}' closed while {} workers were inside user code, and dropped {} "
                  "pieces of queued work",
                  options_.name, left, dropped.size()),
      "see to it that callbacks and compute functions end before the library finishes");
}

std::size_t WorkerPool::State::LeaveWorkers() {
  for (auto& [id, worker] : workers_) worker.thread.detach();
  return workers_.size();
}

WorkerPoolStats WorkerPool::State::Stats() const {
  const std::lock_guard lock(mutex_);
  WorkerPoolStats stats = counts_;
  stats.threads = workers_.size();
  stats.stuck = abandoned_ ? workers_.size() : CountStuck();
  stats.queued = queue_.size();
  return stats;
}

}  // namespace cirein
