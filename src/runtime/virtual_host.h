// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "runtime/clock.h"
#include "runtime/environment.h"
#include "runtime/executor.h"
#include "runtime/timers.h"
#include "runtime/virtual_scheduler.h"

namespace cirein {

/// One process in a virtual world, from its start to its end: a clock that drifts, timers, threads
/// that wake up late, and one processor, on which its pieces of work run one after the other, each
/// for as long as it says that it takes. It can be slow, paused, and killed, at any event of a
/// medium even in the middle of a piece.
///
/// What a piece does to others (a message that leaves) is an effect: it takes place when the piece
/// ends, and not if the process was killed before. So the code inside runs as it is, at once, and a
/// kill in its middle is decided afterwards.
///
/// Not thread-safe. Must outlive what uses its environment; a dead one answers Unavailable.
class VirtualHost {
 public:
  struct Options {
    std::string name;
    double drift_ppm = 0;  ///< How much faster its clock runs than the world's.
    std::chrono::nanoseconds clock_ahead{0};
    double slowness = 1;  ///< Every piece takes so much longer.
    std::chrono::nanoseconds piece_cpu = std::chrono::nanoseconds(500);  ///< Of each, at least.
    /// A thread that is given work begins after some time in between.
    std::chrono::nanoseconds wake_min = std::chrono::microseconds(1);
    std::chrono::nanoseconds wake_max = std::chrono::microseconds(50);
    /// Looks at the clock and submits in one piece before it counts as spinning.
    std::uint64_t piece_steps_max = 10'000'000;
  };
  VirtualHost(VirtualScheduler& world, Options options);
  ~VirtualHost();
  VirtualHost(const VirtualHost&) = delete;
  VirtualHost& operator=(const VirtualHost&) = delete;

  const std::string& name() const noexcept { return options_.name; }
  VirtualScheduler& world() noexcept { return world_; }
  bool alive() const noexcept { return alive_; }

  /// What to hand to the code that lives here. Its executors are threads of the same processor.
  Environment environment();
  /// For work that may block for the medium.
  Executor& executor();

  /// Has a piece of work run here, not before `when` (the world's time) and after what was ready
  /// before. Nothing happens if the host is dead by then. `what` is what the journal calls it.
  void Post(TimePoint when, const char* what, std::function<void()> work);
  /// The piece that runs takes so much longer.
  void Charge(std::chrono::nanoseconds cpu) noexcept { charged_ += cpu; }
  /// Something that the piece which runs does to the rest of the world: at its end, at once if none
  /// runs, never if the host dies before.
  void Emit(std::function<void()> effect);

  /// Nothing runs until then; what comes meanwhile waits. An earlier end than a pause's that goes
  /// on changes nothing.
  void PauseUntil(TimePoint when);
  /// Ends a pause early; what a piece has told meanwhile still leaves at its end.
  void Resume();
  bool paused() const noexcept { return paused_until_ > world_.now(); }
  void SetSlowness(double slowness) noexcept { options_.slowness = slowness; }
  /// Says how far its medium is, in events; and is asked after each piece how long its medium made
  /// it wait.
  struct Medium {
    std::function<std::uint64_t()> point;
    std::function<std::chrono::nanoseconds()> take_waited;
  };
  void SetMedium(Medium medium) { medium_ = std::move(medium); }

  /// Kills it now, between two pieces.
  void Kill();
  /// Destroys all work that a dead one still had, as the end of a process does: before what that
  /// work refers to goes.
  void Bury();
  /// Kills it in the middle of the next piece that stores something, or of the next one altogether
  /// if none does within `patience` pieces: `choose` is given the medium's points before and after
  /// and says at which one it died; `killed` is told, in an event of its own.
  void KillInside(std::uint64_t patience,
                  std::function<std::uint64_t(std::uint64_t begin, std::uint64_t end)> choose,
                  std::function<void(std::uint64_t point)> killed);
  void CancelKill() { kill_order_.reset(); }

  /// Pieces that ran.
  std::uint64_t pieces() const noexcept { return pieces_; }
  std::chrono::nanoseconds cpu_used() const noexcept { return cpu_used_; }
  std::size_t waiting() const noexcept { return ready_.size(); }

  /// Called when a piece takes more steps than it may; must not return. By default it throws
  /// std::runtime_error.
  static void SetOnSpin(std::function<void(const std::string& what)> on_spin);

 private:
  class HostClock;
  class HostTimers;
  class HostExecutor;
  struct Piece {
    const char* what;
    std::function<void()> work;
  };
  struct Effect {
    std::uint64_t point;
    std::function<void()> work;
  };
  struct KillOrder {
    std::uint64_t patience = 0;
    std::function<std::uint64_t(std::uint64_t, std::uint64_t)> choose;
    std::function<void(std::uint64_t)> killed;
  };

  std::chrono::nanoseconds LocalTime() const;
  TimePoint ToWorld(TimePoint local) const;
  void Step();
  void Arrive(Piece piece);
  void PlanTurn();
  void Turn();
  void RunPiece(Piece piece);
  /// Has them take place when the processor is free, or the pause over.
  void Release(std::vector<Effect> effects);
  /// True when the order was carried out.
  bool MayDieInside(std::uint64_t begin, std::uint64_t end);

  VirtualScheduler& world_;
  Options options_;
  Random random_;
  std::unique_ptr<HostClock> clock_;
  std::unique_ptr<HostTimers> timers_;
  std::vector<std::unique_ptr<HostExecutor>> executors_;
  // Events that have a way to find the host only while it is there.
  const std::shared_ptr<VirtualHost*> self_;
  bool alive_ = true;
  bool running_ = false;
  bool turn_planned_ = false;
  TimePoint busy_until_{};
  TimePoint paused_until_{};
  // Work whose time has not come, by number; never walked but to destroy it.
  std::unordered_map<std::uint64_t, Piece> coming_;
  std::uint64_t last_coming_ = 0;
  std::deque<Piece> ready_;
  std::vector<Effect> effects_;
  std::chrono::nanoseconds charged_{0};
  std::chrono::nanoseconds cpu_used_{0};
  std::uint64_t pieces_ = 0;
  std::uint64_t steps_ = 0;
  Medium medium_;
  std::unique_ptr<KillOrder> kill_order_;
};

}  // namespace cirein
