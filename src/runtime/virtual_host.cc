// SPDX-License-Identifier: Apache-2.0
#include "runtime/virtual_host.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <fmt/format.h>

#include "cirein/status.h"

#include "runtime/guarded.h"
#include "runtime/stack_text.h"
#include "runtime/virtual_clock.h"

namespace cirein {

namespace {

std::function<void(const std::string&)>& OnSpin() {
  static std::function<void(const std::string&)> on_spin;
  return on_spin;
}

}  // namespace

class VirtualHost::HostClock final : public Clock {
 public:
  explicit HostClock(VirtualHost& host) : host_(host) {}
  TimePoint Now() const override {
    host_.Step();
    return host_.LocalTime();
  }
  std::chrono::nanoseconds WallNow() const override {
    return VirtualClock::kWallStart + (Now() - VirtualScheduler::kStart);
  }

 private:
  VirtualHost& host_;
};

class VirtualHost::HostTimers final : public TimerService {
 public:
  explicit HostTimers(VirtualHost& host) : host_(host) {}

  TimerId RunAt(TimePoint when, std::function<void()> work) override {
    host_.Step();
    if (!host_.alive_) return 0;
    const TimerId id = ++last_id_;
    const auto event = host_.world_.RunAt(host_.ToWorld(when), [this, id, self = host_.self_] {
      if (*self == nullptr || !host_.alive_) return;
      // It may still be cancelled while it waits for the processor.
      host_.Arrive({"timer", [this, id] { Run(id); }});
    });
    timers_.emplace(id, Timer{event, std::move(work)});
    return id;
  }

  bool CancelTimer(TimerId id) override {
    const auto found = timers_.find(id);
    if (found == timers_.end()) return false;
    host_.world_.Cancel(found->second.event);
    // Destroyed after it is out of the table: it may hold what cancels timers.
    const std::function<void()> work = std::move(found->second.work);
    timers_.erase(found);
    return true;
  }

  void DropAll() { const auto dropped = std::exchange(timers_, {}); }

 private:
  struct Timer {
    VirtualScheduler::EventId event;
    std::function<void()> work;
  };

  void Run(TimerId id) {
    const auto found = timers_.find(id);
    if (found == timers_.end()) return;
    const std::function<void()> work = std::move(found->second.work);
    timers_.erase(found);
    work();
  }

  VirtualHost& host_;
  TimerId last_id_ = 0;
  std::unordered_map<TimerId, Timer> timers_;  // Never walked.
};

class VirtualHost::HostExecutor final : public Executor {
 public:
  HostExecutor(VirtualHost& host, const char* what) : host_(host), what_(what) {}

  Status Submit(std::function<void()> work) override {
    host_.Step();
    if (!host_.alive_) return Unavailable("the host is dead");
    const auto spread = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, (host_.options_.wake_max - host_.options_.wake_min).count()));
    const auto wake =
        host_.options_.wake_min + std::chrono::nanoseconds(host_.random_.Below(spread + 1));
    host_.Post(host_.world_.now() + wake, what_, std::move(work));
    return OkStatus();
  }

 private:
  VirtualHost& host_;
  const char* const what_;
};

VirtualHost::VirtualHost(VirtualScheduler& world, Options options)
    : world_(world),
      options_(std::move(options)),
      random_(world.ForkRandom()),
      clock_(std::make_unique<HostClock>(*this)),
      timers_(std::make_unique<HostTimers>(*this)),
      self_(std::make_shared<VirtualHost*>(this)) {
  for (const char* what : {"callback", "compute", "work"}) {
    executors_.push_back(std::make_unique<HostExecutor>(*this, what));
  }
}

VirtualHost::~VirtualHost() {
  alive_ = false;
  *self_ = nullptr;
}

Environment VirtualHost::environment() {
  return Environment{*clock_, *timers_, *executors_[0], *executors_[1]};
}

Executor& VirtualHost::executor() { return *executors_[2]; }

std::chrono::nanoseconds VirtualHost::LocalTime() const {
  const auto passed = static_cast<double>((world_.now() - VirtualScheduler::kStart).count());
  const auto gained = static_cast<std::int64_t>(std::llround(passed * options_.drift_ppm * 1e-6));
  return world_.now() + options_.clock_ahead + std::chrono::nanoseconds(gained);
}

TimePoint VirtualHost::ToWorld(TimePoint local) const {
  if (local == kEndOfTime) return kEndOfTime;
  const auto ahead = static_cast<double>((local - LocalTime()).count());
  if (ahead <= 0) return world_.now();
  // Rounded up: a timer never runs before its time.
  const double wait = std::ceil(ahead / (1 + options_.drift_ppm * 1e-6)) + 1;
  const auto room = static_cast<double>((kEndOfTime - world_.now()).count());
  if (wait >= room) return kEndOfTime;
  return world_.now() + std::chrono::nanoseconds(static_cast<std::int64_t>(wait));
}

void VirtualHost::SetOnSpin(std::function<void(const std::string&)> on_spin) {
  OnSpin() = std::move(on_spin);
}

void VirtualHost::Step() {
  if (++steps_ <= options_.piece_steps_max || !running_) return;
  steps_ = 0;  // What looks at the clock while it unwinds may.
  const std::string what = fmt::format("{} spins: {} steps in one piece of work, here:\n{}",
                                       options_.name, options_.piece_steps_max, StackText());
  if (OnSpin()) OnSpin()(what);
  throw std::runtime_error(what);
}

void VirtualHost::Post(TimePoint when, const char* what, std::function<void()> work) {
  if (!alive_) return;
  const std::uint64_t number = ++last_coming_;
  coming_.emplace(number, Piece{what, std::move(work)});
  world_.RunAt(when, [self = self_, number] {
    if (*self == nullptr || !(*self)->alive_) return;
    auto node = (*self)->coming_.extract(number);
    (*self)->Arrive(std::move(node.mapped()));
  });
}

void VirtualHost::Arrive(Piece piece) {
  ready_.push_back(std::move(piece));
  if (!turn_planned_ && busy_until_ <= world_.now() && paused_until_ <= world_.now()) {
    Turn();
  } else {
    PlanTurn();
  }
}

void VirtualHost::PlanTurn() {
  if (turn_planned_) return;
  turn_planned_ = true;
  world_.RunAt(std::max(busy_until_, paused_until_), [self = self_] {
    if (*self == nullptr || !(*self)->alive_) return;
    (*self)->turn_planned_ = false;
    (*self)->Turn();
  });
}

void VirtualHost::Turn() {
  if (ready_.empty()) return;
  if (std::max(busy_until_, paused_until_) > world_.now()) return PlanTurn();
  Piece piece = std::move(ready_.front());
  ready_.pop_front();
  RunPiece(std::move(piece));
  if (alive_ && !ready_.empty()) PlanTurn();
}

void VirtualHost::RunPiece(Piece piece) {
  ++pieces_;
  world_.Tell(options_.name, piece.what, pieces_);
  steps_ = 0;
  charged_ = options_.piece_cpu;
  const std::uint64_t begin = medium_.point ? medium_.point() : 0;
  running_ = true;
  RunGuarded(options_.name, piece.work);
  piece.work = nullptr;
  running_ = false;
  const std::uint64_t end = medium_.point ? medium_.point() : 0;
  if (medium_.take_waited) charged_ += medium_.take_waited();
  const auto took = std::chrono::nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(charged_.count()) * options_.slowness));
  cpu_used_ += took;
  busy_until_ = world_.now() + took;
  if (kill_order_ != nullptr && MayDieInside(begin, end)) return;
  if (effects_.empty()) return;
  Release(std::exchange(effects_, {}));
}

void VirtualHost::Release(std::vector<Effect> effects) {
  world_.RunAt(std::max(busy_until_, paused_until_),
               [self = self_, effects = std::move(effects)]() mutable {
                 if (*self == nullptr || !(*self)->alive_) return;
                 // It was paused after the work, and before it could tell.
                 if ((*self)->paused()) return (*self)->Release(std::move(effects));
                 for (const Effect& effect : effects) effect.work();
               });
}

bool VirtualHost::MayDieInside(std::uint64_t begin, std::uint64_t end) {
  if (begin == end && kill_order_->patience > 0) {
    --kill_order_->patience;
    return false;
  }
  const std::unique_ptr<KillOrder> order = std::move(kill_order_);
  const std::uint64_t point = order->choose(begin, end);
  // What had left before that moment is on its way.
  for (const Effect& effect : std::exchange(effects_, {})) {
    if (effect.point <= point) effect.work();
  }
  Kill();
  world_.RunAfter(std::chrono::nanoseconds(0), [killed = order->killed, point] { killed(point); });
  return true;
}

void VirtualHost::Emit(std::function<void()> effect) {
  if (!alive_) return;
  if (!running_) return effect();
  effects_.push_back({medium_.point ? medium_.point() : 0, std::move(effect)});
}

void VirtualHost::PauseUntil(TimePoint when) {
  world_.Tell(options_.name, "pause", static_cast<std::uint64_t>(when.count()));
  paused_until_ = std::max(paused_until_, when);
}

void VirtualHost::Resume() {
  if (!paused()) return;
  world_.Tell(options_.name, "resume");
  paused_until_ = world_.now();
  // The turn that was planned for the end of the pause then finds less to do.
  turn_planned_ = false;
  if (alive_ && !ready_.empty()) PlanTurn();
}

void VirtualHost::Kill() {
  if (!alive_) return;
  world_.Tell(options_.name, "killed", pieces_);
  alive_ = false;
  kill_order_.reset();
}

void VirtualHost::Bury() {
  // Taken out first: what is destroyed may look here.
  const auto coming = std::exchange(coming_, {});
  const auto ready = std::exchange(ready_, {});
  const auto effects = std::exchange(effects_, {});
  timers_->DropAll();
}

void VirtualHost::KillInside(std::uint64_t patience,
                             std::function<std::uint64_t(std::uint64_t, std::uint64_t)> choose,
                             std::function<void(std::uint64_t)> killed) {
  kill_order_ =
      std::make_unique<KillOrder>(KillOrder{patience, std::move(choose), std::move(killed)});
}

}  // namespace cirein
