// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "resp/server_shard.h"
#include "resp/server_state.h"
#include "runtime/executor.h"
#include "runtime/reactor_thread.h"
#include "runtime/stream_listener.h"

namespace cirein::resp {

/// A server that speaks Redis's protocol over a store: its listeners, and its sessions on one
/// reactor thread or several. Thread-safe.
class Server {
 public:
  struct Options {
    std::vector<StreamAddress> addresses;  ///< Where it listens; port 0: any that is free.
    std::size_t threads = 1;
    ServerShard::Keeping keeping = ServerShard::Keeping::kAtOnce;
  };

  /// Listens and serves. `executor` runs what may take long; its threads may block; it outlives the
  /// server. Errors: FailedPrecondition for an address that other machines reach without a
  /// password; those of StreamListener::Listen and ReactorThread::Start.
  static Result<std::unique_ptr<Server>> Start(std::shared_ptr<ServerState> state,
                                               Executor& executor, const Options& options);
  /// Stops.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// As they really are.
  const std::vector<StreamAddress>& addresses() const noexcept { return addresses_; }
  ServerState& state() noexcept { return *state_; }

  /// Ends listening, and all sessions. Blocks until what they run has ended. A second call does
  /// nothing.
  void Stop();

 private:
  explicit Server(std::shared_ptr<ServerState> state) : state_(std::move(state)) {}
  Status Listen(const Options& options);
  Status StartShards(Executor& executor, const Options& options);
  void TellAddresses();
  void Distribute(StreamSocket socket);

  const std::shared_ptr<ServerState> state_;
  std::vector<StreamAddress> addresses_;
  std::vector<std::unique_ptr<StreamListener>> listeners_;  // Of the first reactor.
  std::vector<std::unique_ptr<ReactorThread>> reactors_;
  std::vector<std::unique_ptr<ServerShard>> shards_;
  std::atomic<bool> stopped_{false};
};

}  // namespace cirein::resp
