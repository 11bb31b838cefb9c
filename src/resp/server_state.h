// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/config.h"
#include "cirein/key.h"

#include "object/striped_store.h"
#include "resp/client_card.h"
#include "resp/command_table.h"
#include "resp/server_counters.h"
#include "resp/slow_log.h"
#include "runtime/clock.h"

namespace cirein::resp {

/// What CONFIG may change while the server runs, read by every thread. Where it is not changed it
/// is as Redis has it.
struct ServerParameters {
  /// As the settings redis.* say.
  void Apply(const Config& config);

  std::atomic<std::uint64_t> max_clients{10'000};
  std::atomic<std::uint64_t> idle_timeout_s{0};  ///< 0: never.
  std::atomic<std::uint64_t> keepalive_s{300};
  std::atomic<std::uint64_t> max_bulk_bytes{std::uint64_t{512} << 20};
  std::atomic<std::uint64_t> query_limit_bytes{std::uint64_t{1} << 30};
  /// Of a client that does not take its replies: beyond it the connection ends; 0: never.
  std::atomic<std::uint64_t> output_limit_bytes{0};
  std::atomic<std::int64_t> slowlog_usec{10'000};  ///< Negative: nothing is slow.
  std::atomic<std::uint64_t> slowlog_entries{128};

  bool has_password() const noexcept { return has_password_.load(std::memory_order_acquire); }
  /// In a time that does not tell where they differ.
  bool IsPassword(std::string_view text) const;
  std::string password() const;
  void set_password(std::string_view text);

 private:
  std::atomic<bool> has_password_{false};
  mutable std::mutex mutex_;
  std::string password_;
};

/// What all sessions of a server share: the store, the parameters, who is there, what was counted.
/// Thread-safe. Outlives the sessions.
class ServerState {
 public:
  struct Options {
    std::shared_ptr<StripedStore> store;
    Bucket bucket;                 ///< That Redis sees.
    const Clock* clock = nullptr;  ///< Outlives it.
    /// How CONFIG GET appendfsync calls the store's durability: "everysec" or "always"; "no" of a
    /// store that is in memory.
    std::string fsync = "no";
    /// Objects of more data are brought to the store before their transaction; see Keeper.
    std::uint64_t prepare_bytes = UINT64_MAX;
    /// What drops all keys writes no more than this in one transaction. At most half of what the
    /// store takes as one group.
    std::uint64_t group_bytes = UINT64_MAX;
    std::uint64_t seed = 1;  ///< Of the run id.
    /// Ends the server, when a client asks for that; null: SHUTDOWN is refused.
    std::function<void()> shutdown;
  };
  explicit ServerState(Options options);

  StripedStore& store() const noexcept { return *options_.store; }
  Bucket bucket() const noexcept { return options_.bucket; }
  const Clock& clock() const noexcept { return *options_.clock; }
  const Options& options() const noexcept { return options_; }
  const CommandTable& commands() const noexcept { return commands_; }
  ServerParameters& parameters() noexcept { return parameters_; }
  ClientRegistry& clients() noexcept { return clients_; }
  SlowLog& slow_log() noexcept { return slow_log_; }
  /// Forty hex digits, other ones for each start.
  const std::string& run_id() const noexcept { return run_id_; }
  TimePoint start() const noexcept { return start_; }

  /// Counters for the sessions of one thread; they live as long as this.
  ServerCounters& AddCounters();
  /// The sum over all threads.
  std::uint64_t Sum(LocalCounter ServerCounters::*counter) const;
  struct CommandSums {
    std::uint64_t calls = 0;
    std::uint64_t usec = 0;
    std::uint64_t rejected = 0;
    std::uint64_t failed = 0;
  };
  CommandSums SumOf(const CommandEntry& entry) const;
  /// An error was answered; its first word is counted.
  void CountError(std::string_view error);
  std::map<std::string, std::uint64_t> errors() const;
  void ResetCounters();

  /// What cannot be changed but is told by CONFIG GET and INFO: "port", "bind", "unixsocket", ...
  void Tell(std::string_view name, std::string value);
  std::map<std::string, std::string> told() const;

  std::atomic<std::uint64_t> blocked_clients{0};
  std::atomic<std::uint64_t> peak_clients{0};

 private:
  const Options options_;
  const CommandTable& commands_;
  const TimePoint start_;
  std::string run_id_;
  ServerParameters parameters_;
  ClientRegistry clients_;
  SlowLog slow_log_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<ServerCounters>> counters_;
  std::map<std::string, std::uint64_t> errors_;
  std::map<std::string, std::string> told_;
};

}  // namespace cirein::resp
