// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "simulation/redis_reply.h"

/// What a Redis server would answer, for the commands that the simulated clients use.
namespace cirein::simulation {

/// Names the command that gave a key its time to live; 0: it has none.
using ExpiryId = std::uint32_t;
/// Names a client's WATCH.
using WatchId = std::uint32_t;

struct RedisValue {
  bool is_hash = false;
  std::string text = {};                           ///< Of a string.
  std::map<std::string, std::string> fields = {};  ///< Of a hash; not empty.
  ExpiryId expiry = 0;
};

/// All keys, and which of the watches have been touched. Keys expire by Expire alone.
struct RedisState {
  struct Watch {
    std::set<std::string> keys;
    bool touched = false;
  };
  std::map<std::string, RedisValue> keys = {};
  std::map<WatchId, Watch> watches = {};

  /// Of equal states the same.
  std::uint64_t Digest(std::uint64_t seed) const;
  std::string ToString() const;
};

/// What a command is answered.
struct RedisAnswer {
  std::string text = {};   ///< As CanonicalText gives it.
  ExpiryId remaining = 0;  ///< Not 0: PTTL, of what expires by this.
  bool changed = false;    ///< The state.
};

/// Does the model know the command, whatever its arguments?
bool KnowsCommand(const RedisWords& words);
/// The command on the state. `expiry` is what the key's time to live is called if this gives it
/// one. The command is one of those that the model knows, with arguments that are well formed.
RedisAnswer ApplyRedis(RedisState& state, const RedisWords& words, ExpiryId expiry);
/// The milliseconds of the time to live that the command would give a key; 0: none.
std::uint64_t TtlOf(const RedisWords& words);

/// From now on changes of the keys are noticed.
void ApplyWatch(RedisState& state, WatchId watch, const std::set<std::string>& keys);
/// What has this expiry is gone; false when there is nothing.
bool ApplyExpire(RedisState& state, ExpiryId expiry);

/// A reply to this command in a form that equal meanings have in common: what has no order sorted,
/// what differs from run to run left out.
std::string CanonicalText(const RedisWords& words, const RedisReply& reply);

}  // namespace cirein::simulation
