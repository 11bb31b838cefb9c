// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "cirein/operations.h"

#include "resp/server_link.h"
#include "runtime/reactor.h"

namespace cirein::resp {

/// The wants that a client has parked at a server. When the connection ends they are parked anew,
/// so that whoever waits goes on to wait until it is given up. Belongs to the link's thread.
class ServerWants {
 public:
  /// One want, as its caller sees it.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual const Pattern& pattern() const = 0;
    virtual bool is_over() const = 0;
    /// The first time it counts.
    virtual void End(Result<NamedObject> result) = 0;
  };

  /// Both outlive it.
  ServerWants(Reactor& reactor, ServerLink& link) : reactor_(reactor), link_(link) {}
  ~ServerWants();
  ServerWants(const ServerWants&) = delete;
  ServerWants& operator=(const ServerWants&) = delete;

  /// The server is told with the link's next Flush.
  void Park(const std::shared_ptr<Waiter>& waiter);
  /// It is over.
  void GiveUp(const std::shared_ptr<Waiter>& waiter);

  void OnPush(Reply push);
  /// The connection has ended.
  void OnBroken();

 private:
  enum class Before : std::uint8_t {
    kNever,   ///< No server has heard of it yet: if none can be reached, that is its answer.
    kParked,  ///< It waits until it is given up.
  };

  void Ask(const std::shared_ptr<Waiter>& waiter, Before before);
  void Answered(const std::shared_ptr<Waiter>& waiter, const Result<Reply>& reply);
  void Unwant(std::int64_t id);
  void ParkLostLater();
  void ParkLost();

  Reactor& reactor_;
  ServerLink& link_;
  std::unordered_map<std::int64_t, std::shared_ptr<Waiter>> parked_;  // By the server's id.
  std::unordered_map<Waiter*, std::int64_t> ids_;
  std::unordered_set<std::shared_ptr<Waiter>> lost_;  // To be parked anew.
  TimerService::TimerId timer_ = 0;
  std::chrono::milliseconds pause_{0};
};

}  // namespace cirein::resp
