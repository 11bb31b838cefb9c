// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "cirein/status.h"

#include "pool/object_client.h"

namespace cirein {

/// How a process reaches others: what makes the connections of all its pools. Thread-safe.
class Network {
 public:
  virtual ~Network() = default;
  /// As ObjectClient::Connect; Unavailable once the process has stopped it.
  virtual Status Connect(const fabric::Address& address, Deadline deadline,
                         ObjectClient::ConnectCallback done) = 0;
};

/// The way to one member: connects when it is first needed, and anew when a connection has ended.
/// Thread-safe; no call blocks.
class MemberLink : public std::enable_shared_from_this<MemberLink> {
 public:
  using Client = std::shared_ptr<ObjectClient>;
  using Use = std::function<void(const Result<Client>&)>;

  /// How long a connection may take.
  static constexpr std::chrono::seconds kConnectLimit{5};

  /// `network` outlives it.
  MemberLink(Network& network, fabric::Address address)
      : network_(network), address_(std::move(address)) {}
  ~MemberLink();
  MemberLink(const MemberLink&) = delete;
  MemberLink& operator=(const MemberLink&) = delete;

  const fabric::Address& address() const noexcept { return address_; }

  /// Calls `use` once: inside the call when the connection is there or cannot even be begun, else
  /// when it is there or could not be made, which is Unavailable and names the member.
  void With(Use use);
  /// The connection that is there; null when there is none.
  Client client() const;
  /// This connection has ended: the next use makes another one.
  void Lost(const Client& client);

 private:
  void Connected(const Result<Client>& client);

  Network& network_;
  const fabric::Address address_;
  mutable std::mutex mutex_;  // Of all below.
  Client client_;
  bool connecting_ = false;
  std::vector<Use> waiting_;
};

}  // namespace cirein
