// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fabric/ofi/ofi_connection.h"
#include "fabric/ofi/ofi_port.h"
#include "fabric/ofi/ofi_transport.h"
#include "fabric/packet/packet_endpoint.h"
#include "runtime/stream_listener.h"

namespace cirein::fabric {

/// "ofi://" before where a stream is listened for.
Address OfiAddress(const StreamAddress& at);
/// InvalidArgument for another address, and for a host that is not in digits.
Result<StreamAddress> StreamAddressIn(const Address& address);

/// What one process's transport over libfabric and its connections share: the port, which of its
/// messages go to which connection, and what waits to be let go.
class OfiEndpoint final : public PacketEndpoint, private OfiPort::Handler {
 public:
  OfiEndpoint(Reactor& home, OfiOptions options, std::unique_ptr<StreamListener> listener,
              std::unique_ptr<OfiPort> port);
  ~OfiEndpoint() override;

  const Address& address() const override { return terms_.address; }
  void Rename(Address address) override { terms_.address = std::move(address); }

  // Of the home.

  /// Watches the port.
  Status StartPort();
  OfiPort& port() { return *port_; }
  std::chrono::seconds keepalive() const { return options_.keepalive; }
  /// Of a packet, that go in the message itself.
  std::uint64_t inline_bytes_max() const { return port_->eager_bytes_max() - sizeof(OfiHead); }
  /// May one who shows `shown` bytes show so many more? What is read needs half of the memory, and
  /// what is shown to one who sleeps is not to be all of the other half.
  bool MayShow(std::uint64_t shown, std::uint64_t bytes) const {
    return shown_bytes_ + bytes <= options_.registered_bytes_max / 2 &&
           shown + bytes <= std::max(options_.registered_bytes_max / 8, kShownBytesMax);
  }
  void Shown(std::uint64_t bytes) { shown_bytes_ += bytes; }
  void NotShown(std::uint64_t bytes) {
    shown_bytes_ -= bytes;
    ++progress_;
  }
  /// Another number when what was refused may be tried again.
  std::uint64_t progress() const { return progress_; }

  /// A round comes in a moment, though nothing else wakes the home.
  void LookAgainSoon();
  /// Connections acknowledge: this one at the end of the round, all in a moment.
  void AcknowledgeNow(std::uint64_t token) { acknowledge_.push_back(token); }
  void AcknowledgeSoon();

  /// The connection takes what comes for it from now on; what had come before is taken now.
  void Opened(OfiConnection& connection);
  /// It does not any more. What it shows is let go when the other side cannot read it any more,
  /// which the end of its stream says.
  void Left(const OfiConnection& connection, ControlStream stream, std::deque<OfiShownPart> shown);

 private:
  /// Where messages with a token go.
  struct Route {
    OfiConnection* connection = nullptr;        // Null: not there yet.
    std::vector<std::vector<std::byte>> early;  // What came before it.
  };
  struct Departure {
    ControlStream stream;
    std::deque<OfiShownPart> shown;
  };

  Status CheckAddress(const Address& address) const override;
  Status OpenListener() override;
  void StartListener() override;
  void CloseListener(Leaves leaves) override;
  Result<std::unique_ptr<ConnectionAttempt>> Ask(const Address& address, Ended ended) override;
  bool PollShared() override;
  bool PrepareSharedToBlock() override { return port_ == nullptr || port_->PrepareToBlock(); }
  void LeaveShared() override;

  void Received(std::span<const std::byte> message) override;
  void SendFailed(OfiPort::PeerId peer, const Status& why) override;

  OfiHandshake::Side MakeSide();
  OfiCard MakeCard();
  void Finish(const Ended& ended, Result<OfiAgreement> result);
  void AcknowledgeAll();
  void CheckAll();
  void EndDeparture(std::list<Departure>::iterator departure);
  TimerService::TimerId RunIn(std::chrono::nanoseconds time, void (OfiEndpoint::*work)());

  const OfiOptions options_;
  IntroductionTerms terms_;

  // The home's.
  std::unique_ptr<StreamListener> listener_;
  std::shared_ptr<OfiPort> port_;  // Null: the transport has ended.
  std::unordered_map<std::uint64_t, Route> routes_;
  std::map<OfiPort::PeerId, std::uint64_t> tokens_;  // Of connections that are there.
  std::list<Departure> departures_;
  std::uint64_t shown_bytes_ = 0;
  std::uint64_t progress_ = 1;
  std::vector<std::uint64_t> acknowledge_;
  TimerService::TimerId acknowledge_timer_ = 0;
  TimerService::TimerId look_timer_ = 0;
  TimerService::TimerId check_timer_ = 0;
};

}  // namespace cirein::fabric
