// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "cirein/config.h"
#include "cirein/group.h"
#include "cirein/pool.h"

#include "object/striped_store.h"
#include "pool/group_membership.h"
#include "pool/node_table.h"
#include "pool/pending.h"
#include "pool/process_metrics.h"
#include "pool/process_network.h"
#include "runtime/environment.h"
#include "runtime/reactor_thread.h"
#include "runtime/worker_pool.h"

namespace cirein {

/// What Start makes and the last Finish ends: clock, threads and timers, the store that all
/// `local:` pools share, the operations under way, the connections. One at a time in a process.
class Process {
 public:
  /// Starts the threads that must run. Errors: the system refuses them.
  static Result<std::shared_ptr<Process>> Start(const Config& config);
  /// The one that runs now; null before Start and after the last Finish. Thread-safe.
  static std::shared_ptr<Process> Current();

  ~Process();

  /// Answers everyone who waits with Unavailable, waits for user code, lets objects go. Once.
  void Stop();
  bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

  const Config& config() const noexcept { return config_; }
  const Environment& environment() const noexcept { return environment_; }
  const std::shared_ptr<StripedStore>& store() const noexcept { return store_; }
  NodeTable& nodes() noexcept { return *nodes_; }
  const NodeTable& nodes() const noexcept { return *nodes_; }
  /// Runs `work`, which may wait for the thread that calls: on a callback thread, or once these
  /// have ended on a thread of its own. It never runs where the system refuses that, or where Stop
  /// leaves it behind user code that does not end.
  void RunElsewhere(const std::function<void()>& work);
  /// For what pools do beside their users: its threads may block for a medium.
  Executor& pool_executor() noexcept { return *pool_workers_; }
  /// What connects it with other processes; begun by the first who asks, which blocks. Errors as
  /// ProcessNetwork::Start; Unavailable after Stop. Valid as long as the process.
  Result<ProcessNetwork*> network();
  /// As Group::Join; joined once for each form.
  Result<Group> JoinGroup(std::string_view form, Deadline deadline);
  PendingTable& pending() noexcept { return pending_; }
  std::uint64_t pending_count() const noexcept { return pending_.count(); }
  const ProcessMetrics& metrics() const noexcept { return metrics_; }
  Deadline default_deadline() const noexcept { return default_deadline_; }
  std::uint64_t object_limit_bytes() const noexcept { return object_limit_bytes_; }
  WorkerPoolStats callback_stats() const { return callbacks_->Stats(); }
  WorkerPoolStats compute_stats() const { return compute_->Stats(); }

  /// The connection to a URL, made by `connect` if there is none.
  Result<std::shared_ptr<Pool::State>> Share(
      const std::string& url, const std::function<Result<std::shared_ptr<Pool::State>>()>& connect);

 private:
  Process(const Config& config, std::unique_ptr<ReactorThread> reactor);

  const Config config_;
  const Deadline default_deadline_;
  const std::uint64_t object_limit_bytes_;
  std::unique_ptr<ReactorThread> reactor_;
  std::unique_ptr<WorkerPool> callbacks_;
  std::unique_ptr<WorkerPool> compute_;
  Environment environment_;
  PendingTable pending_;
  std::shared_ptr<StripedStore> store_;
  std::unique_ptr<WorkerPool> pool_workers_;
  const std::shared_ptr<NodeTable> nodes_ = std::make_shared<NodeTable>();
  ProcessMetrics metrics_{*this};
  std::atomic<bool> stopped_{false};

  std::mutex network_mutex_;
  std::unique_ptr<ProcessNetwork> network_;  // Guarded by network_mutex_.

  std::mutex groups_mutex_;                                         // Held while one is joined.
  std::map<std::string, std::unique_ptr<GroupMembership>> groups_;  // By form.

  std::mutex connections_mutex_;
  std::map<std::string, std::weak_ptr<Pool::State>> connections_;
};

}  // namespace cirein
