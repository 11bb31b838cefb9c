// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "simulation/redis_history.h"
#include "simulation/world.h"

namespace cirein::simulation {

/// What all clients of a run share: what they use, and what they saw.
struct RedisWork {
  World& world;
  std::uint32_t groups = 1;       ///< Of keys; no call touches two.
  std::uint32_t lanes = 1;        ///< Connections of a client.
  std::uint64_t large_bytes = 0;  ///< Rarely a value has so many.
  bool uses_ttl = false;
  std::chrono::nanoseconds pause{0};  ///< Between two things that a lane asks, on average.

  RedisHistory history = {};
  std::uint64_t last_value = 0;
};

/// A call that a client is to make until it is answered.
struct RedisTask {
  std::uint32_t group = 0;
  RedisCall call = {};
};

/// What is known of a client over its processes.
struct RedisClientLedger {
  ClientId id = {};
  std::uint32_t begun = 0;
  std::uint32_t wanted = 0;     ///< Random calls, before it is done.
  std::uint32_t under_way = 0;  ///< Lanes that are waiting for something.
  std::deque<RedisTask> tasks = {};

  bool done() const noexcept { return under_way == 0 && tasks.empty() && begun >= wanted; }
};

/// A client of Redis with several connections, each a byte stream in messages that end anywhere: it
/// asks at random, alone, pipelined, in transactions and under watches, and writes down what it
/// was answered. A call that was not answered when its connection ended is not made again.
class RedisClient final : public Program {
 public:
  /// The others outlive it. The server is the machine "node".
  RedisClient(Process& process, RedisWork& work, RedisClientLedger& ledger);
  ~RedisClient() override;

  /// All keys of a group that its calls may touch.
  static std::vector<std::string> KeysOf(std::uint32_t group);
  static std::string NameOf(std::uint32_t group, std::string_view key);

 private:
  class Lane;

  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace cirein::simulation
