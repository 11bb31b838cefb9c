// SPDX-License-Identifier: Apache-2.0

// INFO: the state of the server, in the fields that Redis's tools read.

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "resp/keyspace.h"
#include "resp/server_handlers.h"
#include "resp/session.h"
#include "runtime/process_usage.h"

namespace cirein::resp {
namespace {

using Lines = std::string;

template <typename... Values>
void Add(Lines& lines, fmt::format_string<Values...> format, Values&&... values) {
  lines += fmt::format(format, std::forward<Values>(values)...);
  lines += "\r\n";
}

// As Redis shows bytes: "1.28M".
std::string Human(std::uint64_t bytes) {
  static constexpr std::pair<std::uint64_t, char> kUnits[] = {{std::uint64_t{1} << 50, 'P'},
                                                              {std::uint64_t{1} << 40, 'T'},
                                                              {std::uint64_t{1} << 30, 'G'},
                                                              {std::uint64_t{1} << 20, 'M'},
                                                              {std::uint64_t{1} << 10, 'K'}};
  for (const auto& [size, letter] : kUnits) {
    if (bytes >= size) {
      return fmt::format("{:.2f}{}", static_cast<double>(bytes) / static_cast<double>(size),
                         letter);
    }
  }
  return fmt::format("{}B", bytes);
}

std::string Told(ServerState& state, const std::string& name) {
  const auto told = state.told();
  const auto found = told.find(name);
  return found == told.end() ? std::string() : found->second;
}

void Server(ServerState& state, Lines& lines) {
  const auto up =
      std::chrono::duration_cast<std::chrono::seconds>(state.clock().Now() - state.start());
  Add(lines, "redis_version:{}", kRedisVersion);
  Add(lines, "redis_git_sha1:00000000");
  Add(lines, "redis_git_dirty:0");
  Add(lines, "redis_mode:standalone");
  Add(lines, "server_name:cirein");
  Add(lines, "os:Linux");
  Add(lines, "arch_bits:64");
  Add(lines, "multiplexing_api:epoll");
  Add(lines, "process_id:{}", ReadProcessUsage().id);
  Add(lines, "run_id:{}", state.run_id());
  Add(lines, "tcp_port:{}", Told(state, "port"));
  Add(lines, "server_time_usec:{}",
      std::chrono::duration_cast<std::chrono::microseconds>(state.clock().WallNow()).count());
  Add(lines, "uptime_in_seconds:{}", up.count());
  Add(lines, "uptime_in_days:{}", up.count() / 86'400);
  Add(lines, "hz:10");
  Add(lines, "config_file:");
  Add(lines, "io_threads_active:0");
}

void Clients(ServerState& state, Lines& lines) {
  Add(lines, "connected_clients:{}", state.clients().size());
  Add(lines, "cluster_connections:0");
  Add(lines, "maxclients:{}", state.parameters().max_clients.load());
  Add(lines, "peak_connected_clients:{}", state.peak_clients.load());
  Add(lines, "blocked_clients:{}", state.blocked_clients.load());
  Add(lines, "tracking_clients:0");
}

void Memory(ServerState& state, Lines& lines) {
  const ProcessUsage usage = ReadProcessUsage();
  const std::uint64_t data = state.store().GetStats().engine.used_bytes;
  Add(lines, "used_memory:{}", usage.resident_bytes);
  Add(lines, "used_memory_human:{}", Human(usage.resident_bytes));
  Add(lines, "used_memory_rss:{}", usage.resident_bytes);
  Add(lines, "used_memory_rss_human:{}", Human(usage.resident_bytes));
  Add(lines, "used_memory_peak:{}", usage.peak_resident_bytes);
  Add(lines, "used_memory_peak_human:{}", Human(usage.peak_resident_bytes));
  Add(lines, "used_memory_dataset:{}", data);
  Add(lines, "used_memory_lua:0");
  Add(lines, "maxmemory:0");
  Add(lines, "maxmemory_human:0B");
  Add(lines, "maxmemory_policy:noeviction");
  Add(lines, "mem_fragmentation_ratio:1.00");
  Add(lines, "mem_allocator:cirein");
  Add(lines, "active_defrag_running:0");
  Add(lines, "lazyfree_pending_objects:0");
}

void Persistence(ServerState& state, Lines& lines) {
  const auto start = std::chrono::duration_cast<std::chrono::seconds>(
      state.clock().WallNow() - (state.clock().Now() - state.start()));
  Add(lines, "loading:0");
  Add(lines, "async_loading:0");
  Add(lines, "rdb_changes_since_last_save:0");
  Add(lines, "rdb_bgsave_in_progress:0");
  Add(lines, "rdb_last_save_time:{}", start.count());
  Add(lines, "rdb_last_bgsave_status:ok");
  Add(lines, "rdb_last_bgsave_time_sec:-1");
  Add(lines, "rdb_current_bgsave_time_sec:-1");
  Add(lines, "aof_enabled:{}", state.options().fsync == "no" ? 0 : 1);
  Add(lines, "aof_rewrite_in_progress:0");
  Add(lines, "aof_rewrite_scheduled:0");
  Add(lines, "aof_last_rewrite_time_sec:-1");
  Add(lines, "aof_current_rewrite_time_sec:-1");
  Add(lines, "aof_last_bgrewrite_status:ok");
  Add(lines, "aof_last_write_status:ok");
}

void Stats(ServerState& state, Lines& lines) {
  using Counters = ServerCounters;
  const Store::Stats store = state.store().GetStats();
  const auto up_s = std::max<std::int64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(state.clock().Now() - state.start()).count(),
      1);
  const std::uint64_t commands = state.Sum(&Counters::commands);
  Add(lines, "total_connections_received:{}", state.Sum(&Counters::connections));
  Add(lines, "total_commands_processed:{}", commands);
  Add(lines, "instantaneous_ops_per_sec:{}", commands / static_cast<std::uint64_t>(up_s));
  Add(lines, "total_net_input_bytes:{}", state.Sum(&Counters::input_bytes));
  Add(lines, "total_net_output_bytes:{}", state.Sum(&Counters::output_bytes));
  Add(lines, "rejected_connections:{}", state.Sum(&Counters::refused_connections));
  Add(lines, "expired_keys:0");
  Add(lines, "evicted_keys:0");
  Add(lines, "keyspace_hits:{}",
      store.engine.value_hits + store.engine.own_writes + store.engine.shortcut_hits);
  Add(lines, "keyspace_misses:{}", store.engine.misses);
  Add(lines, "pubsub_channels:0");
  Add(lines, "pubsub_patterns:0");
  Add(lines, "latest_fork_usec:0");
  Add(lines, "total_forks:0");
  Add(lines, "total_error_replies:{}", state.Sum(&Counters::errors));
  Add(lines, "cirein_cross_slot_commands:{}", state.Sum(&Counters::cross_slot));
  Add(lines, "cirein_transactions:{}", state.Sum(&Counters::transactions));
  Add(lines, "cirein_slow_work:{}", state.Sum(&Counters::slow_work));
  Add(lines, "cirein_held_replies:{}", state.Sum(&Counters::held_replies));
  Add(lines, "client_query_buffer_limit_disconnections:{}",
      state.Sum(&Counters::query_limit_closes));
  Add(lines, "client_output_buffer_limit_disconnections:{}",
      state.Sum(&Counters::output_limit_closes));
}

void Replication(ServerState& state, Lines& lines) {
  Add(lines, "role:master");
  Add(lines, "connected_slaves:0");
  Add(lines, "master_failover_state:no-failover");
  Add(lines, "master_replid:{}", state.run_id());
  Add(lines, "master_replid2:0000000000000000000000000000000000000000");
  Add(lines, "master_repl_offset:0");
  Add(lines, "second_repl_offset:-1");
  Add(lines, "repl_backlog_active:0");
}

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

void Cpu(ServerState&, Lines& lines) {
  const ProcessUsage usage = ReadProcessUsage();
  Add(lines, "used_cpu_sys:{:.6f}", Seconds(usage.system));
  Add(lines, "used_cpu_user:{:.6f}", Seconds(usage.user));
  Add(lines, "used_cpu_sys_children:0.000000");
  Add(lines, "used_cpu_user_children:0.000000");
}

void Modules(ServerState&, Lines&) {}

void AddCommandStats(ServerState& state, const CommandEntry& entry, Lines& lines) {
  const ServerState::CommandSums sums = state.SumOf(entry);
  if (sums.calls != 0 || sums.rejected != 0 || sums.failed != 0) {
    const double per_call =
        sums.calls == 0 ? 0 : static_cast<double>(sums.usec) / static_cast<double>(sums.calls);
    Add(lines, "cmdstat_{}:calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}",
        entry.full_name, sums.calls, sums.usec, per_call, sums.rejected, sums.failed);
  }
  for (const CommandEntry& sub : entry.subcommands) AddCommandStats(state, sub, lines);
}

void CommandStats(ServerState& state, Lines& lines) {
  for (const CommandEntry& entry : state.commands().commands()) {
    AddCommandStats(state, entry, lines);
  }
}

void ErrorStats(ServerState& state, Lines& lines) {
  for (const auto& [kind, count] : state.errors()) Add(lines, "errorstat_{}:count={}", kind, count);
}

void Cluster(ServerState&, Lines& lines) { Add(lines, "cluster_enabled:0"); }

// More rows than this, those that are gone but not forgotten among them, are not counted one by
// one, because the others wait meanwhile.
constexpr std::uint64_t kMaxCounted = 10'000;
constexpr std::size_t kCountedAtOnce = 1024;

struct KeyCount {
  std::uint64_t rows = 0;  // That were looked at.
  std::uint64_t keys = 0;
};

// Counts the keys of one page of rows; where the next one begins.
Result<std::optional<Engine::RowName>> CountPage(Transaction& transaction, const Pattern& rows,
                                                 const Engine::RowName& from, KeyCount* count) {
  CIREIN_ASSIGN_OR_RETURN(Engine::RowPage page, transaction.Rows(from, rows, kCountedAtOnce));
  count->rows += page.rows.size();
  for (const Engine::RowName& row : page.rows) {
    FoundKey found;  // Rows may name one that has just expired.
    CIREIN_RETURN_IF_ERROR(FindKey(transaction, KeyView(row.bucket, row.name), Look::kType, found));
    if (found.exists()) ++count->keys;
  }
  return std::move(page.next);
}

// As DBSIZE counts them, but page by page, with others in between; or an estimate.
std::uint64_t CountKeys(Session& session) {
  // Perhaps without those that have come last, and with some that have gone.
  const std::uint64_t known = session.store().GetStats().engine.rows;
  Pattern all = Pattern::RowPrefix("");
  all.set_bucket(session.bucket());
  KeyCount count;
  std::optional<Engine::RowName> next = Engine::RowName{};
  while (next) {
    if (count.rows >= kMaxCounted) return std::max(known, count.keys);
    Transaction transaction = session.store().BeginAll();
    Result<std::optional<Engine::RowName>> rest = CountPage(transaction, all, *next, &count);
    // What was seen may not be kept yet: then nobody may be told.
    session.Keep(session.store().Commit(std::move(transaction)));
    if (!rest.ok()) return known;
    next = std::move(*rest);
  }
  return count.keys;
}

void Keyspace(Session& session, Lines& lines) {
  const std::uint64_t keys = CountKeys(session);
  if (keys != 0) Add(lines, "db0:keys={},expires=0,avg_ttl=0", keys);
}

struct Section {
  std::string_view name;  ///< As it is asked for.
  std::string_view title;
  void (*write)(ServerState& state, Lines& lines);
  bool is_default;
  bool looks_into_store = false;
  void (*look)(Session& session, Lines& lines) = nullptr;  ///< Instead of `write`: at rows.
};
constexpr Section kSections[] = {
    {"server", "Server", Server, true},
    {"clients", "Clients", Clients, true},
    {"memory", "Memory", Memory, true, true},
    {"persistence", "Persistence", Persistence, true},
    {"stats", "Stats", Stats, true, true},
    {"replication", "Replication", Replication, true},
    {"cpu", "CPU", Cpu, true},
    {"modules", "Modules", Modules, true},
    {"commandstats", "Commandstats", CommandStats, false},
    {"errorstats", "Errorstats", ErrorStats, true},
    {"cluster", "Cluster", Cluster, true},
    {"keyspace", "Keyspace", nullptr, true, true, Keyspace},
};

bool IsAsked(const Section& section, Args words) {
  if (words.empty()) return section.is_default;
  return std::any_of(words.begin(), words.end(), [&](const Arg& word) {
    return IsWord(word.text(), section.name) || IsWord(word.text(), "all") ||
           IsWord(word.text(), "everything") ||
           (section.is_default && IsWord(word.text(), "default"));
  });
}

void Info(SessionCall& call) {
  Lines lines;
  for (const Section& section : kSections) {
    if (!IsAsked(section, call.args.subspan(1))) continue;
    // EXEC has partitions for itself, which these look into.
    if (call.session.in_exec() && section.looks_into_store) continue;
    if (!lines.empty()) lines += "\r\n";
    Add(lines, "# {}", section.title);
    if (section.look != nullptr) {
      section.look(call.session, lines);
    } else {
      section.write(call.session.state(), lines);
    }
  }
  call.reply.Verbatim("txt", lines);
}

}  // namespace

CommandSpec InfoCommand() {
  return {.name = "info",
          .arity = -1,
          .flags = kLoading | kStale,
          .keys = {},
          .group = "server",
          .since = "1.0.0",
          .summary = "The state of the server.",
          .syntax = "[section [section ...]]",
          .data = nullptr,
          .session = Info,
          .subcommands = {}};
}

}  // namespace cirein::resp
