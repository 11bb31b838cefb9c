// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/clock.h"
#include "simulation/history.h"
#include "simulation/redis_model.h"

/// What the clients of a simulated Redis server have asked and what they were answered, and the
/// judge of it.
namespace cirein::simulation {

/// Something that happened at one moment: a command, or the commands of an EXEC.
struct RedisCall {
  std::vector<RedisWords> commands = {};
  bool is_exec = false;
  std::optional<OperationId> watch = std::nullopt;  ///< Of an EXEC: the WATCH it depends on.
};

/// One call. Without answers it is unknown: it took effect once since `invoked` and not after
/// `completed`, or never.
struct RedisRecord {
  OperationId id = 0;
  ClientId client = {};
  std::string connection;  ///< On one, calls take effect in their order, without gaps.
  std::uint32_t group = 0;
  RedisCall call = {};
  Moment invoked = {};
  /// One for each command, in canonical form; of an EXEC that was given up one "nil".
  std::optional<std::vector<std::string>> answers = std::nullopt;
  Moment completed = kNever;
  bool is_lost = false;  ///< Asked where nobody listened any more: it never took effect.

  std::string ToString() const;
};

/// Records calls. Not thread-safe.
class RedisHistory {
 public:
  struct Origin {
    ClientId client;
    std::string connection;
    std::uint32_t group = 0;
  };
  /// A name for a new connection, to whoever serves at this moment.
  std::string NewConnection();
  OperationId Begin(const Origin& origin, RedisCall call, TimePoint now);
  void End(OperationId id, std::vector<std::string> answers, TimePoint now);
  /// The server has let go of the connection: what is unknown of it has taken effect, or never
  /// will.
  void ConnectionEnded(const std::string& connection, TimePoint now);
  /// The same of all connections so far: another process of the server has started.
  void ServerStarted(TimePoint now);

  const std::vector<RedisRecord>& records() const noexcept { return records_; }
  std::string ToString() const;

 private:
  void Limit(RedisRecord& record, TimePoint now);

  std::vector<RedisRecord> records_;
  std::uint64_t connections_ = 0;
  std::set<std::string> open_;  // Connections that the server may have.
  std::uint64_t next_event_ = 1;
};

struct RedisJudgeOptions {
  /// How far the end of a key's time to live may be off, either way.
  std::chrono::nanoseconds expiry_margin{0};
  std::uint64_t max_steps = 100'000;  ///< Of each group.
};

/// What is wrong, as lines for people; empty when all is well. Is there for each group of keys, of
/// which no call touches two, an order of all calls that respects real time and the order on each
/// connection, in which a single server would have given these answers? (The search of Wing, Gong
/// and Lowe.) A key's expiry has its place in the order too, so that it happens once.
std::string JudgeRedis(const RedisHistory& history, const RedisJudgeOptions& options);

}  // namespace cirein::simulation
