// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "resp/round_keeper.h"
#include "resp/server_state.h"
#include "resp/session.h"
#include "runtime/executor.h"
#include "runtime/notification.h"
#include "runtime/reactor.h"
#include "runtime/stream_socket.h"

namespace cirein::resp {

/// The sessions of one reactor. In each round it receives for those that are ready, runs what they
/// ask for, sees to it that all of it is kept, once for all of them, and sends.
///
/// Thread-safe are Adopt, Post, connections and Close; all else is the reactor's.
class ServerShard final : public Session::Host {
 public:
  using Keeping = RoundKeeper::Keeping;

  /// All outlive it. `executor` runs what may take long; its threads may block.
  ServerShard(ServerState& state, Reactor& reactor, Executor& executor, Keeping keeping);
  ~ServerShard() override;
  /// Before anything else; the reactor runs on its thread. Blocks for it.
  Status Start();
  ServerShard(const ServerShard&) = delete;
  ServerShard& operator=(const ServerShard&) = delete;

  /// A new connection becomes a session here.
  void Adopt(StreamSocket socket);
  std::size_t connections() const noexcept { return count_.load(std::memory_order_relaxed); }
  /// Ends all sessions once what they run has come back, and what may be sent was tried to be sent.
  /// Blocks; the reactor must be running. Nothing is adopted afterwards.
  void Close();

  // Session::Host.
  TimePoint now() const override;
  TimerService& timers() override { return reactor_; }
  void RunSlow(Session& session, std::function<void()> work) override;
  void Wake(Session& session) override;
  void TellWhenKept(StripedStore::Committed committed) override;

 private:
  class Connection;
  class Link;
  struct SlowJob {
    Connection* connection;
    std::function<void()> work;
  };

  void AdoptHere(StreamSocket socket);
  void OnReady(Connection& connection, FdReadiness readiness);
  void ReceiveFor(Connection& connection);
  void MarkDirty(Connection& connection);
  /// At the end of each round; true when there must be another one at once.
  bool EndRound();
  void Kept(std::uint64_t number, const Status& status);
  void Flush(Connection& connection);
  bool SendSome(Connection& connection);
  void SetInterest(Connection& connection);
  void SubmitSlow(SlowJob job);
  void SlowDone(Connection& connection, const Status& refused);
  void End(Connection& connection);
  void DestroyEnded();
  void ArmHousekeeping();
  void KeepHouse();
  void CloseHere(Notification* done);
  void NotifyIfClosed();

  ServerState& state_;
  Reactor& reactor_;
  Executor& executor_;
  ServerCounters& counters_;
  const std::shared_ptr<Link> link_;
  RoundKeeper keeper_;

  std::vector<std::byte> buffer_;  // For what is received, of all sessions.
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> dirty_;  // Did something in this round.
  std::vector<Connection*> round_;  // Of the round that is being ended; kept for its memory.
  std::vector<Session*> round_sessions_;
  std::vector<std::uint64_t> ended_;
  std::vector<SlowJob> slow_jobs_;
  Reactor::PollerId poller_ = 0;
  TimerService::TimerId housekeeping_ = 0;
  mutable TimePoint now_{};
  bool closing_ = false;
  Notification* closed_ = nullptr;  // Of who waits in Close.
  std::atomic<std::size_t> count_{0};
};

}  // namespace cirein::resp
