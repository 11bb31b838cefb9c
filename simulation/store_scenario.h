// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simulation/node_disk.h"
#include "simulation/scenario.h"
#include "simulation/store_client.h"

namespace cirein::simulation {

/// One node over its pool, and clients over the network that publish, alone and in groups, get,
/// want, drop and ask for infos: the node is killed, loses power, is paused and cut off at any
/// moment. Promises: what the clients saw is linearizable for each row, whatever was acknowledged
/// is kept (at the pool's durability), groups are whole, each want is answered once or fails by its
/// deadline, each request is answered once, nobody waits when nothing is waited for, and the pool
/// is without fault at the end.
class StoreScenario final : public Scenario {
 public:
  StoreScenario();
  ~StoreScenario() override;

  RunSize DrawSize(Random& random) override;
  void Build(World& world, const RunSize& size, Random random) override;
  bool Done() const override;
  void CheckStep() override;
  void Conclude() override;
  bool Concluded() const override;
  void Judge(Ended ended) override;
  std::string Pending() const override;
  std::string HistoryText() const override;

 private:
  class NodeProgram;
  struct Settings {
    NodeDisk disk;
    std::uint32_t shards = 1;
    std::uint64_t cache_bytes = 0;
  };

  bool ClientsDone() const;
  NodeProgram* node() const;
  void Started(std::uint64_t epoch);

  World* world_ = nullptr;
  Machine* machine_ = nullptr;
  std::vector<TimePoint> node_starts_;
  std::uint64_t last_epoch_ = 0;
  Settings settings_;
  std::unique_ptr<StoreWork> work_;
  std::vector<std::unique_ptr<StoreClientLedger>> ledgers_;
};

}  // namespace cirein::simulation
