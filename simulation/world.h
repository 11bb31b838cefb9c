// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

#include "base/random.h"
#include "fabric/sim/cost_model.h"
#include "fabric/sim/sim_network.h"
#include "fabric/transport.h"
#include "region/shadow_space.h"
#include "runtime/virtual_host.h"
#include "runtime/virtual_scheduler.h"
#include "simulation/fault_plan.h"

namespace cirein::simulation {

class World;
class Machine;

/// What runs on a machine: made when its process starts, destroyed when it is dead. It hears
/// nothing of its end; what its destructor still does reaches nobody.
class Program {
 public:
  virtual ~Program() = default;
};

/// What a program is given. Valid as long as the program.
struct Process {
  World& world;
  Machine& machine;
  VirtualHost& host;
  fabric::Transport& transport;
  Random random;
};

/// Makes the program, in a piece of work of the host. An error is a violation: what was there
/// before must be enough to start from.
using StartProgram = std::function<Result<std::unique_ptr<Program>>(Process&)>;

/// A machine of a world: it may have a disk, which outlives its processes, and runs one program.
class Machine {
 public:
  struct Options {
    std::string name = {};
    StartProgram start = {};
    /// What is on the disk, and what kind of medium it is. A machine may have none.
    ShadowSpace::Medium medium = ShadowSpace::Medium::kFile;
    SpaceImage disk = {};
    FaultTarget allowed = {};  ///< Its name is not looked at.
    /// From one process to the next, and over a loss of power, its clock runs on; else each process
    /// has another one.
    bool clock_runs_on = false;
  };
  Machine(World& world, Options options);
  ~Machine();

  const std::string& name() const noexcept { return options_.name; }
  const FaultTarget& allowed() const noexcept { return options_.allowed; }
  /// Null while no process runs.
  VirtualHost* host() noexcept;
  Program* program() noexcept;
  std::uint32_t starts() const noexcept { return starts_; }

  /// For the program that is being made: the disk.
  std::unique_ptr<RegionSpace> OpenDisk();
  /// The disk as it is while nothing runs.
  const SpaceImage& disk() const noexcept { return options_.disk; }

  void Start();
  enum class End : std::uint8_t { kProcess, kPower };
  /// Ends it, at once or in the middle of something it does soon, and starts it again after `down`.
  /// Nothing happens to one that is down.
  void Crash(End end, std::chrono::nanoseconds down);
  /// Takes the program out, with all that was ever stored: the end of a run.
  void Stop();
  /// No new files, or again as many as they like.
  void SetDiskFull(bool full);
  /// It goes on undisturbed: is fast, not paused, and does not die.
  void Heal();

 private:
  struct Life;
  void Die(End end, std::uint64_t point, std::chrono::nanoseconds down);
  void Bury();
  std::uint64_t Persists() const;

  World& world_;
  Options options_;
  Random random_;
  struct ClockRate {
    double drift_ppm = 0;
    std::chrono::nanoseconds ahead{0};
  };
  std::optional<ClockRate> clock_;  // Of the last process.
  std::unique_ptr<Life> life_;
  std::vector<std::unique_ptr<VirtualHost>> dead_hosts_;
  std::uint32_t starts_ = 0;
  std::uint32_t boots_ = 1;
  bool disk_full_ = false;
};

/// Machines, the network between them, one time line, and what went wrong.
///
/// Not thread-safe.
class World {
 public:
  World(std::uint64_t seed, const fabric::CostModel& costs);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  VirtualScheduler& scheduler() noexcept { return scheduler_; }
  fabric::SimNetwork& network() noexcept { return *network_; }
  const fabric::CostModel& costs() const noexcept { return costs_; }
  TimePoint now() const noexcept { return scheduler_.now(); }

  /// The machine lives as long as the world. Started by Start.
  Machine& AddMachine(Machine::Options options);
  Machine* FindMachine(std::string_view name);
  std::vector<FaultTarget> Targets() const;
  void Start();

  /// Has the faults happen at their times, counted from now.
  void Plan(const FaultPlan& plan);
  /// Ends all faults, also those that were still to come: what is cut is whole, what is slow is
  /// fast, and what is down starts.
  void HealAll();
  /// Of those that have begun.
  std::chrono::nanoseconds longest_pause() const noexcept { return longest_pause_; }

  /// A promise was broken. The first one ends the run.
  void Violate(std::string what);
  const std::vector<std::string>& violations() const noexcept { return violations_; }

 private:
  void Apply(const Fault& fault);
  void Undo(const Fault& fault);
  /// As the faults of this kind that go on at these places have it.
  void Set(const Fault& fault);

  const fabric::CostModel costs_;
  VirtualScheduler scheduler_;
  Random fault_random_;
  std::unique_ptr<fabric::SimNetwork> network_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<Fault> lasting_;  // Those that go on, and are to be undone.
  std::chrono::nanoseconds longest_pause_{0};
  bool healed_ = false;
  std::vector<std::string> violations_;
};

}  // namespace cirein::simulation
