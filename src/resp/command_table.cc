// SPDX-License-Identifier: Apache-2.0
#include "resp/command_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "resp/option_word.h"

namespace cirein::resp {
namespace {

// What Redis 7 has and is not here: data types, scripts, publishing, replication, clusters.
constexpr auto kMissing = std::to_array<std::string_view>({
    "acl",
    "asking",
    "bgrewriteaof",
    "bgsave",
    "bitcount",
    "bitfield",
    "bitfield_ro",
    "bitop",
    "bitpos",
    "blmove",
    "blmpop",
    "blpop",
    "brpop",
    "brpoplpush",
    "bzmpop",
    "bzpopmax",
    "bzpopmin",
    "cluster",
    "debug",
    "dump",
    "eval",
    "eval_ro",
    "evalsha",
    "evalsha_ro",
    "failover",
    "fcall",
    "fcall_ro",
    "function",
    "geoadd",
    "geodist",
    "geohash",
    "geopos",
    "georadius",
    "georadius_ro",
    "georadiusbymember",
    "georadiusbymember_ro",
    "geosearch",
    "geosearchstore",
    "getbit",
    "lastsave",
    "latency",
    "lindex",
    "linsert",
    "llen",
    "lmove",
    "lmpop",
    "lolwut",
    "lpop",
    "lpos",
    "lpush",
    "lpushx",
    "lrange",
    "lrem",
    "lset",
    "ltrim",
    "migrate",
    "module",
    "monitor",
    "move",
    "pfadd",
    "pfcount",
    "pfdebug",
    "pfmerge",
    "pfselftest",
    "psubscribe",
    "psync",
    "publish",
    "pubsub",
    "punsubscribe",
    "readonly",
    "readwrite",
    "replconf",
    "replicaof",
    "restore",
    "restore-asking",
    "role",
    "rpop",
    "rpoplpush",
    "rpush",
    "rpushx",
    "sadd",
    "save",
    "scard",
    "script",
    "sdiff",
    "sdiffstore",
    "setbit",
    "sinter",
    "sintercard",
    "sinterstore",
    "sismember",
    "slaveof",
    "smembers",
    "smismember",
    "smove",
    "sort",
    "sort_ro",
    "spop",
    "spublish",
    "srandmember",
    "srem",
    "sscan",
    "ssubscribe",
    "subscribe",
    "sunion",
    "sunionstore",
    "sunsubscribe",
    "swapdb",
    "sync",
    "unsubscribe",
    "xack",
    "xadd",
    "xautoclaim",
    "xclaim",
    "xdel",
    "xgroup",
    "xinfo",
    "xlen",
    "xpending",
    "xrange",
    "xread",
    "xreadgroup",
    "xrevrange",
    "xsetid",
    "xtrim",
    "zadd",
    "zcard",
    "zcount",
    "zdiff",
    "zdiffstore",
    "zincrby",
    "zinter",
    "zintercard",
    "zinterstore",
    "zlexcount",
    "zmpop",
    "zmscore",
    "zpopmax",
    "zpopmin",
    "zrandmember",
    "zrange",
    "zrangebylex",
    "zrangebyscore",
    "zrangestore",
    "zrank",
    "zrem",
    "zremrangebylex",
    "zremrangebyrank",
    "zremrangebyscore",
    "zrevrange",
    "zrevrangebylex",
    "zrevrangebyscore",
    "zrevrank",
    "zscan",
    "zscore",
    "zunion",
    "zunionstore",
});
static_assert(std::is_sorted(kMissing.begin(), kMissing.end()));

constexpr std::size_t kShownBytes = 128;

constexpr char Lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Commands whose time is bounded by their arguments, which are few, need no look at the clock; nor
// do writes of one value.
bool MayTakeLong(const CommandSpec& spec) {
  static constexpr auto kQuick = std::to_array<std::string_view>(
      {"set", "setex", "psetex", "getset", "getex", "append", "del", "exists", "mget", "hmget"});
  return (spec.flags & kFast) == 0 &&
         std::find(kQuick.begin(), kQuick.end(), spec.name) == kQuick.end();
}

}  // namespace

bool IsWord(std::string_view word, std::string_view lower) noexcept {
  if (word.size() != lower.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (Lower(word[i]) != lower[i]) return false;
  }
  return true;
}

const CommandEntry* CommandEntry::Subcommand(std::string_view name) const noexcept {
  for (const CommandEntry& entry : subcommands) {
    if (IsWord(name, entry.spec->name)) return &entry;
  }
  return nullptr;
}

const CommandTable& CommandTable::All() {
  static const CommandTable* const table = [] {
    const std::span<const CommandSpec> files[] = {
        StringCommands(),     KeyCommands(),    HashCommands(),  TransactionCommands(),
        ConnectionCommands(), ServerCommands(), CireinCommands()};
    return new CommandTable(files);  // Never destroyed: sessions of any thread look into it.
  }();
  return *table;
}

CommandTable::CommandTable(std::span<const std::span<const CommandSpec>> files) {
  std::size_t count = 0;
  for (const auto& file : files) count += file.size();
  commands_.reserve(count);  // Places stay: slots point to them.
  const auto make = [this](const CommandSpec& spec, std::string full_name) {
    return CommandEntry{.spec = &spec,
                        .full_name = std::move(full_name),
                        .id = static_cast<std::uint32_t>(ids_++),
                        .may_take_long = MayTakeLong(spec),
                        .subcommands = {}};
  };
  for (const auto& file : files) {
    for (const CommandSpec& spec : file) {
      CommandEntry& entry = commands_.emplace_back(make(spec, std::string(spec.name)));
      for (const CommandSpec& sub : spec.subcommands) {
        entry.subcommands.push_back(make(sub, fmt::format("{}|{}", spec.name, sub.name)));
      }
    }
  }
  slots_.resize(std::bit_ceil(4 * std::max(count, std::size_t{1})));
  for (const CommandEntry& entry : commands_) {
    const std::string_view name = entry.spec->name;
    std::size_t at = HashOf(name.data(), name.size()) & (slots_.size() - 1);
    while (slots_[at] != nullptr) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = &entry;
  }
}

std::uint64_t CommandTable::HashOf(const char* lower, std::size_t bytes) noexcept {
  return Hash64({lower, bytes});
}

const CommandEntry* CommandTable::Find(std::string_view name) const noexcept {
  if (name.size() > kLongestName || name.empty()) return nullptr;
  std::array<char, kLongestName> lower;
  for (std::size_t i = 0; i < name.size(); ++i) lower[i] = Lower(name[i]);
  for (std::size_t at = HashOf(lower.data(), name.size()) & (slots_.size() - 1);;
       at = (at + 1) & (slots_.size() - 1)) {
    const CommandEntry* const entry = slots_[at];
    if (entry == nullptr) return nullptr;
    const std::string_view found = entry->spec->name;
    if (found.size() == name.size() && std::memcmp(found.data(), lower.data(), name.size()) == 0) {
      return entry;
    }
  }
}

const CommandEntry* CommandTable::FindFor(Args args) const noexcept {
  const CommandEntry* const entry = Find(args[0].text());
  if (entry == nullptr || entry->subcommands.empty() || args.size() == 1) return entry;
  return entry->Subcommand(args[1].text());
}

void FindKeys(const CommandSpec& spec, std::size_t args, KeyIndices& keys) {
  const KeyArguments& where = spec.keys;
  if (where.first <= 0 || where.step <= 0) return;
  const auto count = static_cast<std::int64_t>(args);
  const std::int64_t last = where.last >= 0 ? where.last : count + where.last;
  for (std::int64_t i = where.first; i <= last && i < count; i += where.step) {
    keys.push_back(static_cast<std::uint32_t>(i));
  }
}

std::string UnknownCommandError(const CommandTable& table, Args args) {
  const std::string_view name = args[0].text().substr(0, kShownBytes);
  const CommandEntry* const container = table.Find(args[0].text());
  if (container != nullptr && args.size() > 1) {
    std::string upper(container->spec->name);
    std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return fmt::format("ERR unknown subcommand '{}'. Try {} HELP.",
                       AsCString(args[1].text()).substr(0, kShownBytes), upper);
  }
  std::string shown;
  for (std::size_t i = 1; i < args.size() && shown.size() < kShownBytes; ++i) {
    shown += fmt::format("'{}' ", args[i].text().substr(0, kShownBytes - shown.size()));
  }
  const std::string lower = AsciiLower(name);
  const bool is_redis = std::binary_search(kMissing.begin(), kMissing.end(), lower);
  return fmt::format("ERR unknown command '{}', with args beginning with: {}{}", name, shown,
                     is_redis ? ", see docs/redis.md" : "");
}

}  // namespace cirein::resp
