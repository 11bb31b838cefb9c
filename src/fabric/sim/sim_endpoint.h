// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "fabric/grant_table.h"
#include "fabric/sim/sim_wire.h"
#include "fabric/transport.h"
#include "runtime/virtual_host.h"

namespace cirein::fabric {

/// One process in a simulated network: what its transport and its connections share. Stays for as
/// long as anything refers to it; its host only until Shut.
class SimEndpoint : public std::enable_shared_from_this<SimEndpoint> {
 public:
  SimEndpoint(std::shared_ptr<SimWire> wire, VirtualHost& host);

  const Address& address() const { return address_; }
  const std::string& name() const { return name_; }
  SimWire& wire() { return *wire_; }
  const std::shared_ptr<SimWire>& shared_wire() { return wire_; }
  GrantTable& grants() { return grants_; }
  /// Code that runs here can be told something.
  bool alive() const { return host_ != nullptr && host_->alive(); }
  /// Only while alive.
  VirtualHost& host() { return *host_; }

  /// A piece of work here, unless the process or the transport has gone by then.
  void Post(const char* what, std::function<void()> work);
  /// Something that the running piece does to the network.
  void Emit(std::function<void()> effect);
  void Charge(std::chrono::nanoseconds cpu) {
    if (alive()) host_->Charge(cpu);
  }
  /// When the deadline ends, by this process's clock.
  TimePoint EndOf(Deadline deadline);
  /// 0 for a deadline that never ends.
  TimerService::TimerId RunAt(TimePoint when, std::function<void()> work);
  void CancelTimer(TimerService::TimerId timer);

  Status Listen(Service& service);
  Service* listener() const { return listener_; }
  bool full() const { return connections_.size() >= wire_->options().limits.connections_max; }
  Status Connect(const Address& address, Service& service, Deadline deadline, ConnectCallback done);
  /// The attempt to make the connection of that link has ended.
  void FinishConnect(std::uint64_t link, const Status& status);

  void Add(const SimLink& link, LinkSide side, std::shared_ptr<SimConnection> connection);
  void Forget(std::uint64_t link, LinkSide side) { connections_.erase({link, side}); }

  /// The transport is destroyed.
  void Shut();

 private:
  struct Attempt {
    ConnectCallback done;
    TimerService::TimerId timer = 0;
    std::shared_ptr<SimConnection> connection;
  };

  const std::shared_ptr<SimWire> wire_;
  VirtualHost* host_;
  const std::string name_;
  const Address address_;
  GrantTable grants_;
  Service* listener_ = nullptr;
  std::map<std::uint64_t, Attempt> attempts_;  // By the link's id.
  // A process may connect to itself, and then has both sides.
  std::map<std::pair<std::uint64_t, LinkSide>, std::shared_ptr<SimConnection>> connections_;
};

/// The name in "sim://name"; InvalidArgument for another address.
Result<std::string> NameInAddress(const Address& address);

}  // namespace cirein::fabric
