// SPDX-License-Identifier: Apache-2.0
#include "http/server_status.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/fatal.h"
#include "base/metrics.h"
#include "base/text.h"
#include "base/units.h"
#include "pool/process_metrics.h"
#include "runtime/process_usage.h"

namespace cirein::http {
namespace {

using Unit = Fact::Unit;
using Kind = Fact::Kind;
using S = const ServerStatus&;

constexpr int kJsonSchema = 1;

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

constexpr auto kFacts = std::to_array<Fact>({
    {"server", "uptime_s", "Since the server's start.", "cirein_uptime_seconds", Unit::kSeconds,
     Kind::kGauge, [](S s) { return s.uptime_s; }},
    {"server", "cpu_s", "Processor time of the process.", "cirein_cpu_seconds_total",
     Unit::kSeconds, Kind::kCounter, [](S s) { return s.cpu_s; }},
    {"server", "resident_bytes", "Memory of the process, mapped files included.",
     "cirein_resident_bytes", Unit::kBytes, Kind::kGauge,
     [](S s) { return double(s.resident_bytes); }},

    {"clients", "connected", "Connections now.", "cirein_resp_clients", Unit::kCount, Kind::kGauge,
     [](S s) { return double(s.clients); }},
    {"clients", "peak", "The most there were at a time.", "cirein_resp_peak_clients", Unit::kCount,
     Kind::kGauge, [](S s) { return double(s.peak_clients); }},
    {"clients", "max", "The most there may be: maxclients.", "cirein_resp_max_clients",
     Unit::kCount, Kind::kGauge, [](S s) { return double(s.max_clients); }},
    {"clients", "blocked", "Of those there are, the ones whose command waits.",
     "cirein_resp_blocked_clients", Unit::kCount, Kind::kGauge,
     [](S s) { return double(s.blocked_clients); }},
    {"clients", "connections", "Connections taken.", "cirein_resp_connections_total", Unit::kCount,
     Kind::kCounter, [](S s) { return double(s.connections); }},
    {"clients", "refused_connections", "Connections turned away: there were too many.",
     "cirein_resp_refused_connections_total", Unit::kCount, Kind::kCounter,
     [](S s) { return double(s.refused_connections); }},
    {"clients", "query_limit_closes", "Connections ended because what they asked was too long.",
     "cirein_resp_query_limit_closes_total", Unit::kCount, Kind::kCounter,
     [](S s) { return double(s.query_limit_closes); }},
    {"clients", "output_limit_closes", "Connections ended because they did not take their replies.",
     "cirein_resp_output_limit_closes_total", Unit::kCount, Kind::kCounter,
     [](S s) { return double(s.output_limit_closes); }},

    {"traffic", "commands", "Commands run.", "cirein_resp_all_commands_total", Unit::kCount,
     Kind::kCounter, [](S s) { return double(s.commands); }},
    {"traffic", "errors", "Errors answered.", "cirein_resp_all_errors_total", Unit::kCount,
     Kind::kCounter, [](S s) { return double(s.errors); }},
    {"traffic", "input_bytes", "Bytes received.", "cirein_resp_input_bytes_total", Unit::kBytes,
     Kind::kCounter, [](S s) { return double(s.input_bytes); }},
    {"traffic", "output_bytes", "Bytes sent.", "cirein_resp_output_bytes_total", Unit::kBytes,
     Kind::kCounter, [](S s) { return double(s.output_bytes); }},
    {"traffic", "cross_slot",
     "Commands and transactions with keys of several slots; a cluster will refuse them.",
     "cirein_resp_cross_slot_total", Unit::kCount, Kind::kCounter,
     [](S s) { return double(s.cross_slot); }},
    {"traffic", "transactions", "Transactions carried out.", "cirein_resp_transactions_total",
     Unit::kCount, Kind::kCounter, [](S s) { return double(s.transactions); }},
    {"traffic", "slow_work", "Commands that ran outside of the threads that serve connections.",
     "cirein_resp_slow_work_total", Unit::kCount, Kind::kCounter,
     [](S s) { return double(s.slow_work); }},
    {"traffic", "held_replies", "Replies held until what they tell was kept.",
     "cirein_resp_held_replies_total", Unit::kCount, Kind::kCounter,
     [](S s) { return double(s.held_replies); }},

    {"store", "objects",
     "Keys in the index: dropped ones that it must remember too, not yet what is not merged.", "",
     Unit::kCount, Kind::kGauge, [](S s) { return double(s.store.engine.objects); }},
    {"store", "rows", "Rows with columns.", "", Unit::kCount, Kind::kGauge,
     [](S s) { return double(s.store.engine.rows); }},
    {"store", "memory_bytes", "Memory of the cache: values and shortcuts.", "", Unit::kBytes,
     Kind::kGauge, [](S s) { return double(s.store.engine.used_bytes); }},
    {"store", "waiters", "Wants and needs that wait.", "", Unit::kCount, Kind::kGauge,
     [](S s) { return double(s.store.waiting); }},
    {"store", "value_hits", "Reads of an object that was in memory.", "", Unit::kCount,
     Kind::kCounter, [](S s) { return double(s.store.engine.value_hits); }},
    {"store", "own_writes", "Reads of an own write that was not merged yet.", "", Unit::kCount,
     Kind::kCounter, [](S s) { return double(s.store.engine.own_writes); }},
    {"store", "shortcut_hits", "Reads that knew where in the pool the object is.", "", Unit::kCount,
     Kind::kCounter, [](S s) { return double(s.store.engine.shortcut_hits); }},
    {"store", "index_looks", "Reads that had to look into the pool's index.", "", Unit::kCount,
     Kind::kCounter, [](S s) { return double(s.store.engine.misses); }},

    {"pool", "log_bytes", "Room of the log: all but large objects.", "cirein_pool_log_bytes",
     Unit::kBytes, Kind::kGauge, [](S s) { return double(s.pool->log_bytes); }},
    {"pool", "free_bytes", "Of the log, free segments.", "cirein_pool_free_bytes", Unit::kBytes,
     Kind::kGauge, [](S s) { return double(s.pool->free_bytes); }},
    {"pool", "written_bytes", "Of the log, what is written, dead or not.", "", Unit::kBytes,
     Kind::kGauge, [](S s) { return double(s.pool->stats.written_bytes); }},
    {"pool", "live_bytes", "Of the log, what the index leads to.", "", Unit::kBytes, Kind::kGauge,
     [](S s) { return double(s.pool->stats.live_bytes); }},
    {"pool", "copied_bytes", "What the cleaner has copied.", "", Unit::kBytes, Kind::kCounter,
     [](S s) { return double(s.pool->stats.copied_bytes); }},
    {"pool", "segment_bytes", "Size of a segment of the log.", "cirein_pool_segment_bytes",
     Unit::kBytes, Kind::kGauge, [](S s) { return double(s.pool->segment_bytes); }},
    {"pool", "segments", "Segments of the log.", "", Unit::kCount, Kind::kGauge,
     [](S s) { return double(s.pool->stats.segments); }},
    {"pool", "free_segments", "Of these, the ones that are free.", "", Unit::kCount, Kind::kGauge,
     [](S s) { return double(s.pool->stats.free_segments); }},
    {"pool", "extents", "Large objects in files of their own.", "", Unit::kCount, Kind::kGauge,
     [](S s) { return double(s.pool->stats.extents); }},
    {"pool", "extent_bytes", "Bytes of these.", "", Unit::kBytes, Kind::kGauge,
     [](S s) { return double(s.pool->stats.extent_bytes); }},
    {"pool", "extent_limit_bytes", "The most that these may have.",
     "cirein_pool_extent_limit_bytes", Unit::kBytes, Kind::kGauge,
     [](S s) { return double(s.pool->extent_limit_bytes); }},
    {"pool", "pinned_bytes", "Bytes of large objects that are gone but for who holds them.", "",
     Unit::kBytes, Kind::kGauge, [](S s) { return double(s.pool->stats.pinned_bytes); }},
});

std::string WithThousands(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t i = digits.size(); i > 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

// Whole numbers as such, whatever their size.
std::string JsonNumber(double value) {
  constexpr double kWholeTo = 9e15;
  if (!std::isfinite(value)) return "null";
  if (value == std::floor(value) && std::abs(value) < kWholeTo) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  return fmt::format("{:.6f}", value);
}

std::string Field(std::string_view name, std::string_view json) {
  return fmt::format("{}:{}", JsonString(name), json);
}

std::string CommandsJson(const ServerStatus& status) {
  std::string text;
  for (const ServerStatus::Command& command : status.command_list) {
    text += fmt::format("{}{{\"name\":{},\"calls\":{},\"usec\":{},\"rejected\":{},\"failed\":{}}}",
                        text.empty() ? "\n" : ",\n", JsonString(command.name), command.sums.calls,
                        command.sums.usec, command.sums.rejected, command.sums.failed);
  }
  return "[" + text + "]";
}

std::string ErrorsJson(const ServerStatus& status) {
  std::string text;
  for (const auto& [kind, count] : status.error_kinds) {
    text += fmt::format("{}{{\"kind\":{},\"count\":{}}}", text.empty() ? "\n" : ",\n",
                        JsonString(kind), count);
  }
  return "[" + text + "]";
}

std::string OpenPoolsJson(const std::vector<ServerStatus::OpenPool>& pools) {
  std::string text;
  for (const ServerStatus::OpenPool& each : pools) {
    text += fmt::format(
        "{}{{\"path\":{},\"durability\":{},\"objects\":{},\"rows\":{},\"memory_bytes\":{},"
        "\"waiters\":{},\"segments\":{},\"free_segments\":{},\"live_bytes\":{}}}",
        text.empty() ? "\n" : ",\n", JsonString(each.path),
        JsonString(each.is_power ? "power" : "process"), each.store.engine.objects,
        each.store.engine.rows, each.store.engine.used_bytes, each.store.waiting,
        each.pool.segments, each.pool.free_segments, each.pool.live_bytes);
  }
  return "[" + text + "]";
}

// None of the options that a server was started with.
std::string ProgramTexts(const ServerStatus& status, bool is_ready) {
  return fmt::format("{},{}", Field("version", JsonString(status.version)),
                     Field("ready", is_ready ? "true" : "false"));
}

std::string ServerTexts(const ServerStatus& status, bool is_ready) {
  if (status.open_pools) return ProgramTexts(status, is_ready);
  std::string text = fmt::format("{},{},{},{},{}", Field("version", JsonString(status.version)),
                                 Field("ready", is_ready ? "true" : "false"),
                                 Field("directory", JsonString(status.directory)),
                                 Field("durability", JsonString(status.durability)),
                                 Field("run_id", JsonString(status.run_id)));
  for (const std::string_view name : {"bind", "port", "unixsocket"}) {
    const auto found = status.told.find(std::string(name));
    const std::string value = found == status.told.end() ? std::string() : found->second;
    text += "," + Field(name, JsonString(value));
  }
  return text;
}

// The metrics of a status, which live as long as the text takes.
class MetricsText {
 public:
  void Add(Kind kind, const MetricInfo& info, const MetricLabels& labels, double value) {
    const auto what =
        kind == Kind::kCounter ? MetricRegistry::Kind::kCounter : MetricRegistry::Kind::kGauge;
    auto added = registry_.AddCallback(what, info, labels, [value] { return value; });
    // There may be more kinds of something than a metric has series.
    if (added.status().code() == StatusCode::kResourceExhausted) return;
    if (!added.ok()) Fatal(added.status().ToString());  // The tables are wrong.
    registrations_.push_back(std::move(*added));
  }
  std::string ToString() const { return registry_.ToPrometheus(); }

 private:
  MetricRegistry registry_;
  std::vector<MetricRegistry::Registration> registrations_;
};

void AddCommands(const ServerStatus& status, MetricsText& metrics) {
  for (const ServerStatus::Command& command : status.command_list) {
    const MetricLabels labels = {{"command", command.name}};
    const auto add = [&](const char* name, const char* help, double value) {
      metrics.Add(Kind::kCounter, {name, help}, labels, value);
    };
    add("cirein_resp_commands_total", "Commands run, by name.", double(command.sums.calls));
    add("cirein_resp_command_seconds_total",
        "Time they took: measured, or a share of the round in which they ran.",
        double(command.sums.usec) / 1e6);
    add("cirein_resp_commands_rejected_total", "Commands refused before they ran.",
        double(command.sums.rejected));
    add("cirein_resp_commands_failed_total", "Commands that answered an error.",
        double(command.sums.failed));
  }
  for (const auto& [kind, count] : status.error_kinds) {
    metrics.Add(Kind::kCounter,
                {"cirein_resp_errors_total", "Errors answered, by their first word."},
                {{"kind", kind}}, double(count));
  }
}

void AddCommandSums(const resp::ServerState& server, const resp::CommandEntry& entry,
                    ServerStatus& status) {
  const resp::ServerState::CommandSums sums = server.SumOf(entry);
  if (sums.calls + sums.rejected + sums.failed != 0) {
    status.command_list.push_back({entry.full_name, sums});
  }
  for (const resp::CommandEntry& each : entry.subcommands) AddCommandSums(server, each, status);
}

void AskCounters(const resp::ServerState& server, ServerStatus& status) {
  using C = resp::ServerCounters;
  status.connections = server.Sum(&C::connections);
  status.refused_connections = server.Sum(&C::refused_connections);
  status.commands = server.Sum(&C::commands);
  status.errors = server.Sum(&C::errors);
  status.input_bytes = server.Sum(&C::input_bytes);
  status.output_bytes = server.Sum(&C::output_bytes);
  status.cross_slot = server.Sum(&C::cross_slot);
  status.transactions = server.Sum(&C::transactions);
  status.slow_work = server.Sum(&C::slow_work);
  status.held_replies = server.Sum(&C::held_replies);
  status.query_limit_closes = server.Sum(&C::query_limit_closes);
  status.output_limit_closes = server.Sum(&C::output_limit_closes);
  for (const resp::CommandEntry& entry : server.commands().commands()) {
    AddCommandSums(server, entry, status);
  }
  std::sort(status.command_list.begin(), status.command_list.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  status.error_kinds = server.errors();
}

ServerStatus::Pool AskPool(node::Node& node) {
  const dpm::Superblock superblock = node.pool().superblock();
  ServerStatus::Pool pool;
  pool.stats = node.pool().GetStats();
  pool.segment_bytes = superblock.segment_bytes;
  pool.log_bytes = superblock.segment_bytes * pool.stats.segments;
  pool.free_bytes = superblock.segment_bytes * pool.stats.free_segments;
  pool.extent_limit_bytes = superblock.extent_limit_bytes;
  pool.large_bytes = superblock.large_bytes;
  return pool;
}

std::vector<ServerStatus::OpenPool> AskOpenPools(const Process& program) {
  std::vector<ServerStatus::OpenPool> pools;
  program.nodes().Each([&](const std::string& path, node::Node& node) {
    pools.push_back({.path = path,
                     .is_power = node.pool().durability() == dpm::Durability::kPower,
                     .store = node.store()->GetStats(),
                     .pool = node.pool().GetStats()});
  });
  return pools;
}

}  // namespace

ServerStatus AskStatus(const StatusSource& source) {
  resp::ServerState& server = *source.server;
  ServerStatus status;
  status.version = source.version;
  status.directory = source.directory;
  status.run_id = server.run_id();
  status.told = server.told();
  status.uptime_s = Seconds(server.clock().Now() - server.start());
  const ProcessUsage usage = ReadProcessUsage();
  status.cpu_s = Seconds(usage.user + usage.system);
  status.resident_bytes = usage.resident_bytes;
  status.clients = server.clients().size();
  status.peak_clients = server.peak_clients.load();
  status.max_clients = server.parameters().max_clients.load();
  status.blocked_clients = server.blocked_clients.load();
  AskCounters(server, status);
  status.store = server.store().GetStats();
  status.durability = "none";
  if (source.node != nullptr) {
    status.pool = AskPool(*source.node);
    const bool power = source.node->pool().durability() == dpm::Durability::kPower;
    status.durability = power ? "power" : "process";
  }
  if (source.program != nullptr) status.open_pools = AskOpenPools(*source.program);
  return status;
}

std::span<const Fact> Facts() { return kFacts; }

bool IsTold(const Fact& fact, const ServerStatus& status) {
  if (fact.section == "pool") return status.pool.has_value();
  const bool is_server = !status.open_pools;
  return is_server || (fact.section != "clients" && fact.section != "traffic");
}

std::string FactText(const Fact& fact, double value) {
  const auto whole = static_cast<std::uint64_t>(std::max(value, 0.0));
  switch (fact.unit) {
    case Unit::kBytes:
      return BytesForPeople(whole);
    case Unit::kSeconds:
      return DurationForPeople(std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::duration<double>(value)));
    case Unit::kCount:
      break;
  }
  return WithThousands(whole);
}

std::string StatusJson(const ServerStatus& status, bool is_ready) {
  std::string text = fmt::format("{{\"schema\":{}", kJsonSchema);
  std::string_view section;
  for (const Fact& fact : kFacts) {
    if (!IsTold(fact, status)) continue;
    if (fact.section != section) {
      if (!section.empty()) text += "}";
      section = fact.section;
      text += fmt::format(",\n{}:{{", JsonString(section));
      if (section == "server") text += ServerTexts(status, is_ready) + ",";
    } else {
      text += ",";
    }
    text += Field(fact.name, JsonNumber(fact.read(status)));
  }
  if (status.open_pools) {
    return fmt::format("{}}},\n\"pools\":{}}}\n", text, OpenPoolsJson(*status.open_pools));
  }
  return fmt::format("{}}},\n\"commands\":{},\n\"errors\":{}}}\n", text, CommandsJson(status),
                     ErrorsJson(status));
}

std::string StatusMetrics(const StatusSource& source) {
  const ServerStatus status = AskStatus(source);
  MetricsText metrics;
  for (const Fact& fact : kFacts) {
    if (fact.metric.empty() || !IsTold(fact, status)) continue;
    metrics.Add(fact.kind, {std::string(fact.metric), std::string(fact.meaning)}, {},
                fact.read(status));
  }
  metrics.Add(Kind::kGauge,
              {"cirein_build_info", "Which program it is, and how it keeps what it is given."},
              {{"version", status.version}, {"durability", status.durability}}, 1);
  AddCommands(status, metrics);
  std::string text = metrics.ToString();
  if (source.node != nullptr) text += NodeMetricsText(source.directory, *source.node);
  if (source.more_metrics != nullptr) text += source.more_metrics();
  return text;
}

}  // namespace cirein::http
