// SPDX-License-Identifier: Apache-2.0
#include "dpm/processor.h"

#include <atomic>
#include <mutex>
#include <utility>

#include "base/logging.h"

namespace cirein::dpm {

namespace {

/// Pieces of work in a row before others get the executor's thread.
constexpr int kPiecesAtOnce = 16;

}  // namespace

class Processor::State : public std::enable_shared_from_this<Processor::State> {
 public:
  State(Dpm& pool, Clock& clock, TimerService& timers, Executor& executor, const Options& options)
      : pool_(pool), clock_(clock), timers_(timers), executor_(executor), options_(options) {}

  void Committed(std::uint64_t bytes) {
    if (!timer_set_.exchange(true, std::memory_order_acq_rel)) SetTimer();
    const std::uint64_t before = committed_.fetch_add(bytes, std::memory_order_relaxed);
    if (before < options_.wake_bytes && before + bytes >= options_.wake_bytes) Wake();
  }

  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }

 private:
  void SetTimer() {
    timers_.RunAt(clock_.Now() + options_.sync_after, [self = shared_from_this()] {
      // Off the timers' thread: it must not block. Where there is no thread for it now, later.
      const Status status = self->executor_.Submit([self] { self->SyncNow(); });
      if (status.code() == StatusCode::kResourceExhausted) self->SetTimer();
    });
  }

  void Wake() {
    const Status status = executor_.Submit([self = shared_from_this()] { self->WorkSome(); });
    if (!status.ok()) committed_.store(0, std::memory_order_relaxed);
  }

  void SyncNow() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    // Before the sync: what is committed from here on sets the next timer.
    timer_set_.store(false, std::memory_order_release);
    const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.WallNow());
    pool_.ObserveTime(static_cast<std::uint64_t>(wall.count()));
    Tell(pool_.Sync());
    if (WorkWhileAny()) Wake();
  }

  void WorkSome() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    committed_.store(0, std::memory_order_relaxed);
    if (WorkWhileAny()) Wake();
  }

  /// True when there is more to do.
  bool WorkWhileAny() {
    for (int i = 0; i < kPiecesAtOnce; ++i) {
      const Result<Dpm::WorkDone> done = pool_.Work(Dpm::Urgency::kNormal);
      if (!done.ok()) {
        Tell(done.status());
        return false;
      }
      if (!done->any()) return false;
    }
    return true;
  }

  /// Once for each error that is new; writers hear of it by themselves.
  void Tell(const Status& status) {
    if (status.code() == told_) return;
    told_ = status.code();
    if (!status.ok()) LogWarn("dpm", "{}", status.ToString());
  }

  Dpm& pool_;
  Clock& clock_;
  TimerService& timers_;
  Executor& executor_;
  const Options options_;
  std::atomic<bool> timer_set_{false};
  std::atomic<std::uint64_t> committed_{0};
  std::mutex mutex_;
  bool stopped_ = false;
  StatusCode told_ = StatusCode::kOk;
};

Processor::Processor(Dpm& pool, Clock& clock, TimerService& timers, Executor& executor,
                     Options options)
    : pool_(pool), state_(std::make_shared<State>(pool, clock, timers, executor, options)) {
  pool_.SetOnCommit([state = state_](std::uint64_t bytes) { state->Committed(bytes); });
}

Processor::~Processor() {
  pool_.SetOnCommit(nullptr);
  state_->Stop();
}

}  // namespace cirein::dpm
