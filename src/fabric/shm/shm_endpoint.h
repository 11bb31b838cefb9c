// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "fabric/packet/packet_endpoint.h"
#include "fabric/shm/handshake.h"
#include "fabric/shm/lender.h"
#include "fabric/shm/shm_transport.h"

namespace cirein::fabric {

/// What one process's transport over shared memory and its connections share.
class ShmEndpoint final : public PacketEndpoint {
 public:
  ShmEndpoint(Reactor& home, ShmOptions options);

  const Address& address() const override { return terms_.introduction.address; }
  void Rename(Address address) override { terms_.introduction.address = std::move(address); }
  Status AwaitRevoked(const GrantTable::Removed& removed) override;

  Mappings mappings() const { return options_.mappings; }
  Loans& loans() { return *loans_; }
  std::shared_ptr<const Loans> shared_loans() const { return loans_; }
  /// What was lent by a connection that has ended. Of the home.
  void SettleAtEnd(Lender& lender);

 private:
  Status CheckAddress(const Address& address) const override;
  Status OpenListener() override;
  void StartListener() override;
  void CloseListener(Leaves leaves) override;
  Result<std::unique_ptr<ConnectionAttempt>> Ask(const Address& address, Ended ended) override;
  void LeaveShared() override;
  void OnListener();
  void PauseListener();
  void StartListenerLater();
  void SweepQuarantine();
  void Finish(const Ended& ended, Result<Agreement> result);

  const ShmOptions options_;
  HandshakeTerms terms_;
  std::optional<ControlListener> listener_;
  const std::shared_ptr<Loans> loans_ = std::make_shared<Loans>();

  // The home's.
  bool watching_listener_ = false;
  TimerService::TimerId pause_ = 0;
  TimerService::TimerId sweep_ = 0;
};

}  // namespace cirein::fabric
