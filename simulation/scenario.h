// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

#include "base/random.h"
#include "simulation/world.h"

namespace cirein::simulation {

/// How much happens in a run; a failing one is made smaller along these.
struct RunSize {
  std::uint32_t clients = 0;
  std::uint32_t operations = 0;        ///< That each of them asks for.
  std::size_t faults = 0;              ///< At most.
  std::chrono::nanoseconds length{0};  ///< Over which both are spread.

  friend bool operator==(const RunSize&, const RunSize&) = default;
};

/// One run of a system in a world: which machines there are, what is asked of them, and what must
/// hold. Made anew for each run; all it draws comes from what it is given.
///
/// To add one: derive from this, and add it to ScenarioTable::Builtin in scenario.cc.
class Scenario {
 public:
  virtual ~Scenario() = default;

  virtual RunSize DrawSize(Random& random) = 0;
  /// Adds the machines. `world` outlives the scenario's last call.
  virtual void Build(World& world, const RunSize& size, Random random) = 0;
  /// Is all that the clients want to ask answered, one way or another?
  virtual bool Done() const = 0;
  /// After every event: promises that can be seen at any instant.
  virtual void CheckStep() {}
  /// All faults are over: asks the last questions.
  virtual void Conclude() = 0;
  virtual bool Concluded() const = 0;
  /// Tells the world what was not as it must be. A run that was stopped early has things under way.
  enum class Ended : std::uint8_t { kFully, kEarly };
  virtual void Judge(Ended ended) = 0;
  /// For the report of a run that does not end: what is still waited for.
  virtual std::string Pending() const { return {}; }
  /// For the report of a run that failed: what the clients saw.
  virtual std::string HistoryText() const { return {}; }
};

struct ScenarioEntry {
  std::string name;
  std::string summary;
  std::unique_ptr<Scenario> (*make)() = nullptr;
};

/// The scenarios there are, by name.
class ScenarioTable {
 public:
  /// InvalidArgument for a name that is no plain word, AlreadyExists for one that is taken.
  Status Add(ScenarioEntry entry);
  /// NotFound, with what there is.
  Result<const ScenarioEntry*> Find(std::string_view name) const;
  const std::vector<ScenarioEntry>& entries() const noexcept { return entries_; }

  /// All that come with the project.
  static const ScenarioTable& Builtin();

 private:
  std::vector<ScenarioEntry> entries_;
};

}  // namespace cirein::simulation
