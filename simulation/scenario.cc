// SPDX-License-Identifier: Apache-2.0
#include "simulation/scenario.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/fatal.h"
#include "base/suggest.h"
#include "base/text.h"
#include "simulation/echo_scenario.h"
#include "simulation/pools_scenario.h"
#include "simulation/redis_scenario.h"
#include "simulation/store_scenario.h"

namespace cirein::simulation {

Status ScenarioTable::Add(ScenarioEntry entry) {
  const bool plain =
      !entry.name.empty() && std::all_of(entry.name.begin(), entry.name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      });
  if (!plain) {
    return InvalidArgument(
        fmt::format("\"{}\" is no name for a scenario: small letters, digits and - make one",
                    EscapeForPeople(entry.name)));
  }
  if (Find(entry.name).ok()) {
    return AlreadyExists(
        fmt::format("there is a scenario \"{}\" already; give one another name", entry.name));
  }
  entries_.push_back(std::move(entry));
  return OkStatus();
}

Result<const ScenarioEntry*> ScenarioTable::Find(std::string_view name) const {
  std::vector<std::string_view> names;
  std::string all;
  for (const ScenarioEntry& entry : entries_) {
    if (entry.name == name) return &entry;
    names.push_back(entry.name);
    all += (all.empty() ? "there are: " : ", ") + entry.name;
  }
  return NotFound(fmt::format("there is no scenario \"{}\"", EscapeForPeople(name)),
                  DidYouMean(name, names, all));
}

const ScenarioTable& ScenarioTable::Builtin() {
  static const ScenarioTable table = [] {
    ScenarioTable made;
    for (ScenarioEntry& entry : std::vector<ScenarioEntry>{
             {"echo", "a service that sends back what it gets: the smallest example",
              [] { return std::unique_ptr<Scenario>(std::make_unique<EchoScenario>()); }},
             {"store", "one node over its pool, and clients over the network",
              [] { return std::unique_ptr<Scenario>(std::make_unique<StoreScenario>()); }},
             {"redis", "a server for Redis clients over its pool, and such clients",
              [] { return std::unique_ptr<Scenario>(std::make_unique<RedisScenario>()); }},
             {"pools", "a pool over the memory of several processes, and its users",
              [] { return std::unique_ptr<Scenario>(std::make_unique<PoolsScenario>()); }},
         }) {
      if (const Status added = made.Add(std::move(entry)); !added.ok()) Fatal(added.ToString());
    }
    return made;
  }();
  return table;
}

}  // namespace cirein::simulation
