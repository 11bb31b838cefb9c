// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cirein/status.h"

#include "bench/fabric_carrier.h"
#include "fabric/transport.h"
#include "runtime/reactor.h"

namespace cirein::bench {

/// A fabric of the project, and what carries it where there is a choice.
struct FabricChoice {
  std::string fabric;
  std::string provider;
};

/// Is there such a fabric in this build?
bool HasFabric(const FabricChoice& choice);
/// An end of it, whose home is `home`. Unimplemented when there is no such fabric in this build.
Result<std::unique_ptr<fabric::Transport>> MakeTransport(const FabricChoice& choice, Reactor& home);

/// The Transport, on homes that run as in a program.
std::unique_ptr<Carrier> MakeTransportCarrier(FabricChoice choice);

/// An end with its home, in a process of one thread.
class TransportEnd {
 public:
  /// Fails the turn when it cannot be.
  explicit TransportEnd(const FabricChoice& choice);

  Reactor& home() { return *home_; }
  fabric::Transport& transport() { return *transport_; }

  /// Tells the client where it listens.
  void Listen(Meeting& meeting, fabric::Service& service);
  /// A connection to who listens; what comes over it goes to `service`.
  std::shared_ptr<fabric::Connection> Connect(Meeting& meeting, fabric::Service& service);

 private:
  std::unique_ptr<Reactor> home_;
  std::unique_ptr<fabric::Transport> transport_;
};

/// Answers each request with its bytes, and stops the home when the other side has gone.
class EchoService : public fabric::Service {
 public:
  explicit EchoService(Reactor& home) : home_(home) {}
  void Connected(const std::shared_ptr<fabric::Connection>& connection) override;
  void Message(const std::shared_ptr<fabric::Connection>& connection,
               std::span<const std::byte> message) override;
  void Request(const std::shared_ptr<fabric::Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> message) override;
  void Closed(const std::shared_ptr<fabric::Connection>& connection, const Status& why) override;

 private:
  Reactor& home_;
  std::shared_ptr<fabric::Connection> connection_;
};

}  // namespace cirein::bench
