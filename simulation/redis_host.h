// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "fabric/transport.h"
#include "node/node.h"
#include "resp/round_keeper.h"
#include "resp/server_state.h"
#include "resp/session.h"
#include "runtime/environment.h"
#include "runtime/executor.h"

namespace cirein::simulation {

/// The shipped sessions of Redis clients over a simulated fabric instead of sockets: each message
/// is a piece of a connection's bytes. Rounds are those of resp::ServerShard: what has come for
/// several sessions is run, all of it is kept by one wait, and then the replies are sent.
class RedisHost final : public fabric::Service, public resp::Session::Host {
 public:
  /// Told when nothing of this connection can take effect any more. The name is what the client
  /// has given to it (CLIENT SETNAME).
  using ConnectionEnded = std::function<void(const std::string& name)>;
  using Keeping = resp::RoundKeeper::Keeping;

  /// All outlive it. `executor` runs what may block.
  RedisHost(resp::ServerState& state, const Environment& environment, Executor& executor,
            Keeping keeping, Random random, ConnectionEnded ended);
  ~RedisHost() override;

  // fabric::Service.
  void Connected(const std::shared_ptr<fabric::Connection>& connection) override;
  void Message(const std::shared_ptr<fabric::Connection>& connection,
               std::span<const std::byte> message) override;
  void Request(const std::shared_ptr<fabric::Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> message) override;
  void Closed(const std::shared_ptr<fabric::Connection>& connection, const Status& why) override;

  // resp::Session::Host.
  TimePoint now() const override { return environment_.clock.Now(); }
  TimerService& timers() override { return environment_.timers; }
  void RunSlow(resp::Session& session, std::function<void()> work) override;
  void Wake(resp::Session& session) override;
  void TellWhenKept(StripedStore::Committed committed) override;

  std::size_t connections() const noexcept { return clients_.size(); }

 private:
  struct Client;
  /// The way back for those who answer later.
  struct Link {
    RedisHost* host = nullptr;
  };

  Client* Find(const std::shared_ptr<fabric::Connection>& connection);
  void MarkDirty(Client& client);
  void PlanRound();
  void Round();
  void Receive(Client& client);
  void Kept(std::uint64_t number, const Status& status);
  void Flush(Client& client);
  bool SendSome(Client& client);
  void SubmitSlow(std::uint64_t id, std::function<void()> work);
  void SlowDone(std::uint64_t id, const Status& refused);
  void End(Client& client);
  void DestroyEnded();
  /// Runs `work` in a piece of its own, if this is still there.
  void Soon(std::function<void(RedisHost& host)> work);

  resp::ServerState& state_;
  const Environment environment_;
  Executor& executor_;
  Random random_;
  const ConnectionEnded connection_ended_;
  resp::ServerCounters& counters_;
  const std::shared_ptr<Link> link_;
  resp::RoundKeeper keeper_;
  std::map<std::uint64_t, std::unique_ptr<Client>> clients_;
  std::map<const fabric::Connection*, std::uint64_t> ids_;
  std::vector<std::uint64_t> dirty_;
  std::vector<std::pair<std::uint64_t, std::function<void()>>> slow_jobs_;
  bool round_planned_ = false;
};

}  // namespace cirein::simulation
