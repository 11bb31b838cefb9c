// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dpm/dpm.h"
#include "node/node.h"
#include "pool/process.h"
#include "resp/server_state.h"

/// What a server tells of itself: asked once, and told as metrics, as JSON and as pages.
namespace cirein::http {

/// Whom to ask.
struct StatusSource {
  std::shared_ptr<resp::ServerState> server;
  std::shared_ptr<node::Node> node;  ///< Under the server's store; null for a store in memory.
  std::string directory;             ///< Of the node's pool.
  std::string version;               ///< Of the program.
  /// More metrics in Prometheus' form, of other names than those here; may be null.
  std::function<std::string()> more_metrics = nullptr;
  /// Of a program that uses the library: then `server` is one without connections over the local
  /// store, and nothing is told of connections, but of all pools that are open. Null for a server.
  std::shared_ptr<const Process> program = nullptr;
};

/// All numbers of one moment.
struct ServerStatus {
  // Texts.
  std::string version;
  std::string directory;
  std::string durability;  ///< "process", "power" or "none".
  std::string run_id;
  std::map<std::string, std::string> told;  ///< "port", "bind", "unixsocket", ...

  // Numbers.
  double uptime_s = 0;
  double cpu_s = 0;
  std::uint64_t resident_bytes = 0;

  std::uint64_t clients = 0;
  std::uint64_t peak_clients = 0;
  std::uint64_t max_clients = 0;
  std::uint64_t blocked_clients = 0;

  /// Sums over all threads, by ServerCounters' members.
  std::uint64_t connections = 0;
  std::uint64_t refused_connections = 0;
  std::uint64_t commands = 0;
  std::uint64_t errors = 0;
  std::uint64_t input_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t cross_slot = 0;
  std::uint64_t transactions = 0;
  std::uint64_t slow_work = 0;
  std::uint64_t held_replies = 0;
  std::uint64_t query_limit_closes = 0;
  std::uint64_t output_limit_closes = 0;

  Store::Stats store;

  struct Pool {
    dpm::Dpm::Stats stats;
    std::uint64_t segment_bytes = 0;
    std::uint64_t log_bytes = 0;
    std::uint64_t free_bytes = 0;
    std::uint64_t extent_limit_bytes = 0;
    std::uint64_t large_bytes = 0;
  };
  std::optional<Pool> pool;

  /// An elastic pool that a program has open.
  struct OpenPool {
    std::string path;
    bool is_power = false;  ///< Durability power, not process.
    Store::Stats store;
    dpm::Dpm::Stats pool;
  };
  /// By path; nullopt for a server.
  std::optional<std::vector<OpenPool>> open_pools;

  struct Command {
    std::string name;  ///< As in INFO: "get", "config|get".
    resp::ServerState::CommandSums sums;
  };
  /// Those that were called, by name.
  std::vector<Command> command_list;
  std::map<std::string, std::uint64_t> error_kinds;
};

/// Asks. May wait for a step of the pool's processor; walks no rows.
ServerStatus AskStatus(const StatusSource& source);

/// One number of a ServerStatus: what it is called where, and what it means. The table of these
/// makes JSON, pages, metrics and the docs.
struct Fact {
  enum class Unit : std::uint8_t { kCount, kBytes, kSeconds };
  enum class Kind : std::uint8_t { kGauge, kCounter };
  std::string_view section;  ///< Of the JSON, and the title of its table.
  std::string_view name;     ///< In the section.
  std::string_view meaning;
  /// Empty where Node's own metrics tell it.
  std::string_view metric;
  Unit unit = Unit::kCount;
  Kind kind = Kind::kGauge;
  double (*read)(const ServerStatus& status) = nullptr;
};
/// In the order they are shown, section by section.
std::span<const Fact> Facts();
/// Does it mean anything there? Facts of section "pool" do with a pool, those about connections of
/// a server.
bool IsTold(const Fact& fact, const ServerStatus& status);

/// "1.2 GiB", "3d 4h", "1,234": for people.
std::string FactText(const Fact& fact, double value);

/// All of it as one JSON object: {"schema":1, "server":{...}, "clients":{...}, ...}.
std::string StatusJson(const ServerStatus& status, bool is_ready);
/// Prometheus' text form (0.0.4).
std::string StatusMetrics(const StatusSource& source);

}  // namespace cirein::http
