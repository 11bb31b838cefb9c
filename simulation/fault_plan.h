// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

#include "base/random.h"

namespace cirein::simulation {

/// One thing that goes wrong in a run, at its time, and for how long.
struct Fault {
  enum class Kind : std::uint8_t {
    kKill,       ///< The process of `target` ends at once; started again after `lasts`.
    kPowerLoss,  ///< So does its machine: what was not persisted may be gone.
    kPause,      ///< Stopped, and goes on after `lasts` as if nothing had been.
    kSlow,       ///< Everything on `target` takes `factor` times as long.
    kCut,        ///< Nothing gets from `target` to `other`; the way back is a fault of its own.
    kDelay,      ///< What goes from `target` to `other` takes `factor` times as long.
    kBreak,      ///< One of the connections of `target` ends; `lasts` is not looked at.
    kFull,       ///< The medium of `target` has no room for new files.
  };
  Kind kind = Kind::kKill;
  std::chrono::nanoseconds at{0};  ///< Since the run began.
  std::chrono::nanoseconds lasts{0};
  std::string target;
  std::string other;         ///< Of kCut and kDelay.
  std::uint32_t factor = 1;  ///< Of kSlow and kDelay.

  friend bool operator==(const Fault&, const Fault&) = default;
  /// "at 120ms kill server for 50ms", "at 1s delay a to b by 20 for 300ms".
  std::string ToString() const;
};

/// A machine of a run, and what may be done to it.
struct FaultTarget {
  std::string name = {};
  bool may_stop = false;  ///< Killed, paused, slowed.
  bool may_lose_power = false;
  bool may_fill = false;
};

/// What goes wrong in one run, in the order of time. As text a fault each line; empty lines and
/// what follows a # say nothing.
class FaultPlan {
 public:
  static constexpr std::size_t kMaxFaults = 1000;

  FaultPlan() = default;
  explicit FaultPlan(std::vector<Fault> faults);

  /// Errors: InvalidArgument, with the line.
  static Result<FaultPlan> Parse(std::string_view text);
  /// So many faults at most, within `length`, all of which the targets allow.
  static FaultPlan Draw(Random& random, std::span<const FaultTarget> targets,
                        std::chrono::nanoseconds length, std::size_t faults_max);
  /// Is it possible: machines that are there and may suffer this, nothing that happens to a process
  /// which is down, nothing that never ends. FailedPrecondition, with the fault.
  Status Check(std::span<const FaultTarget> targets) const;

  const std::vector<Fault>& faults() const noexcept { return faults_; }
  /// Without the faults `first` to `first + count - 1`.
  FaultPlan Without(std::size_t first, std::size_t count) const;
  std::string ToString() const;

 private:
  std::vector<Fault> faults_;
};

}  // namespace cirein::simulation
