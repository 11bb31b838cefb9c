// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simulation/node_disk.h"
#include "simulation/redis_client.h"
#include "simulation/scenario.h"

namespace cirein::simulation {

/// A server for Redis clients over its pool: the shipped node, sessions and rounds, in which the
/// replies of many wait for one write. Its clients send commands, pipelines and transactions, and
/// watch keys; the server is killed, loses power, is paused and cut off at any moment. Promises:
/// for each group of keys, what the clients were answered is what one server would have said that
/// runs everything in some order; whatever was answered is kept (at the pool's durability); a
/// transaction is done as a whole or not at all; a key expires once; each request is answered once;
/// and the pool is without fault at the end.
class RedisScenario final : public Scenario {
 public:
  RedisScenario();
  ~RedisScenario() override;

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
  class ServerProgram;
  struct Settings {
    NodeDisk disk;
    std::uint32_t shards = 1;
    std::uint64_t cache_bytes = 0;
  };

  ServerProgram* server() const;
  void AddClients(const RunSize& size);
  void AskForWhatIsPublishedLast();

  World* world_ = nullptr;
  Machine* machine_ = nullptr;
  Settings settings_;
  std::unique_ptr<RedisWork> work_;
  std::vector<std::unique_ptr<RedisClientLedger>> ledgers_;
};

}  // namespace cirein::simulation
