// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "fabric/sim/sim_endpoint.h"
#include "fabric/sim/sim_wire.h"
#include "fabric/transport.h"

namespace cirein::fabric {

/// One side of a connection over a simulated network.
class SimConnection final : public Connection, public std::enable_shared_from_this<SimConnection> {
 public:
  SimConnection(std::shared_ptr<SimEndpoint> endpoint, LinkPtr link, LinkSide side,
                Service& service);

  const Address& peer() const override { return peer_; }
  Status Send(Parts message) override;
  Status Request(Parts message, Deadline deadline, ReplyCallback done) override;
  Status Reply(RequestId request, Parts message) override;
  Status Read(const Grant& grant, std::uint64_t offset, std::span<std::byte> into,
              Deadline deadline, DoneCallback done) override;
  Status Write(const Grant& grant, std::uint64_t offset, std::span<const std::byte> bytes,
               Deadline deadline, DoneCallback done) override;
  Status CompareAndSwap(const Grant& grant, std::uint64_t offset, WordSwap swap, Deadline deadline,
                        WordCallback done) override;
  Status FetchAdd(const Grant& grant, std::uint64_t offset, std::uint64_t add, Deadline deadline,
                  WordCallback done) override;
  Status Persist(const Grant& grant, ByteRange range, Deadline deadline,
                 DoneCallback done) override;
  void Close() override;

  // What follows is for the network alone.

  SimEndpoint& endpoint() { return *endpoint_; }
  Service& service() { return service_; }
  /// Both sides are there, and this one knows.
  bool established() const { return state_ == State::kOpen; }
  /// The side that was asked is there at once, and says so.
  void Accept();
  /// A packet has reached this machine.
  void Arrived(const PacketPtr& packet);
  /// The connection has ended for this side, which is told in a piece of work.
  void End(const Status& why);
  /// The process is dead: nothing is told, and nothing happens any more.
  void Die();
  /// The attempt to connect was given up.
  void GiveUp();
  /// The transport is destroyed: ends it, and hands out the callbacks that wait, in their order.
  using Callback = std::variant<ReplyCallback, DoneCallback, WordCallback>;
  std::vector<Callback> Shut();
  static void Fail(const Callback& callback, const Status& why);

 private:
  enum class State : std::uint8_t {
    kConnecting,
    kOpen,
    kEnded,   ///< The user has not been told yet.
    kClosed,  ///< Was told, or closed it.
  };
  struct Pending {
    Callback done;
    std::span<std::byte> into;
    TimerService::TimerId timer = 0;
  };

  Status CheckOpen() const;
  /// As long as the parts together, if that may be sent now.
  Result<std::uint64_t> CheckMessage(Parts message, const Load& load) const;
  Status CheckLoad(std::uint64_t bytes, const Load& load) const;
  Status CheckOperation(std::uint64_t bytes) const;
  void Put(PacketPtr packet);
  /// The message counts in the load until it is read.
  PacketPtr MakeMessage(PacketKind kind, Parts message, Toll toll);
  Status Operate(PacketPtr packet, std::uint64_t bytes, Deadline deadline, Pending pending);
  /// Sends what is answered to a callback.
  void Begin(PacketPtr packet, Deadline deadline, Pending pending);
  /// A packet, in a piece of work.
  void Handle(Packet& packet);
  /// A one-sided operation takes effect; what to answer.
  PacketPtr TakeEffect(Packet& packet);
  void Finish(std::uint64_t number, const Status& status, const Packet* answer);
  void TellEnd(const Status& why);
  void LeaveLink();

  const std::shared_ptr<SimEndpoint> endpoint_;
  const LinkSide side_;
  const std::uint64_t link_id_;
  const Address peer_;
  Service& service_;
  State state_ = State::kConnecting;
  LinkPtr link_;  // Null once it has ended.
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Pending> pending_;
  std::map<RequestId, Toll> asked_;  // Of the other side, not answered yet.
  const std::shared_ptr<Load> begun_ = std::make_shared<Load>();    // What this side began.
  const std::shared_ptr<Load> replies_ = std::make_shared<Load>();  // What the other asked for.
};

}  // namespace cirein::fabric
