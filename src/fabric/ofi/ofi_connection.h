// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "fabric/ofi/ofi_handshake.h"
#include "fabric/ofi/ofi_messages.h"
#include "fabric/ofi/ofi_port.h"
#include "fabric/packet/packet_connection.h"

namespace cirein::fabric {

class OfiEndpoint;

/// A part that this side shows, in memory that stays as it is until the other side has read it.
struct OfiShownPart {
  std::uint64_t sequence = 0;
  OfiPort::Lease lease;
};

/// One side of a connection over libfabric. Packets go in parts, numbered; a part is in a message,
/// or in memory that its message shows. Only the home speaks with the port: what other threads send
/// waits for it.
class OfiConnection final : public PacketConnection {
 public:
  OfiConnection(std::shared_ptr<OfiEndpoint> endpoint, OfiAgreement agreement, Service& service);
  ~OfiConnection() override;

  Status Start() override;
  bool Poll() override;
  bool PrepareToBlock() override;

  // For the endpoint, on its home.

  std::uint64_t token() const { return own_token_; }
  OfiPort::PeerId peer_id() const { return peer_id_; }
  /// A message to this connection has come.
  void Take(const OfiMessage& message);
  /// The port says that something is lost.
  void Lost(const Status& why);
  /// Tells the other side what was read, if it does not know.
  void Acknowledge();
  /// Tells it how far this side has written, if it may not have noticed.
  void Check();

 private:
  /// A part that cannot be taken yet.
  struct Incoming {
    OfiHead head;
    OfiPort::RemoteBuffer shown;
    std::vector<std::byte> bytes;
    OfiPort::Lease lease;
    enum class State : std::uint8_t { kToRead, kReading, kThere } state = State::kThere;
  };

  void TrySome(PacketCursor& packet) override;
  std::uint64_t LastMark() const override { return last_sent_; }
  void Look() override {}
  void Sent() override {}
  void LeaveCarrier() override;

  // With mutex_ held.
  OfiHead MakeHead(OfiPart part) const;
  bool SendAck();
  bool SendPart(const OfiHead& head, Parts bytes);
  bool SendRest(PacketCursor& packet, OfiHead head);
  bool ShowPart(PacketCursor& packet, OfiHead head);
  Status TakeRead(std::uint64_t read_up_to);

  void OnSocket();
  Status TakeInOrder(const OfiHead& head, std::span<const std::byte> bytes);
  Status Keep(const OfiMessage& message);
  /// Begins the reads that may begin, and takes what is there.
  void Advance();
  bool BeginRead(Incoming& part);
  void FinishRead(std::uint64_t sequence, const Status& status, OfiPort::Lease lease);
  void Owe(std::uint64_t bytes);

  OfiEndpoint& ofi() const;

  const std::uint64_t own_token_;
  const std::uint64_t peer_token_;
  const std::vector<std::byte> peer_name_;

  // Guarded by mutex_.
  Status broken_;                 // Why nothing more can be sent.
  std::uint64_t last_sent_ = 0;   // Part.
  std::uint64_t peer_read_ = 0;   // By the other side, of these.
  std::uint64_t refused_at_ = 0;  // The endpoint's progress when nothing more could be sent.
  std::deque<OfiShownPart> shown_;
  std::uint64_t shown_bytes_ = 0;
  std::uint64_t last_taken_ = 0;  // Part of the other side's.
  std::uint64_t told_taken_ = 0;  // What of it the other side knows.

  // The home's.
  ControlStream stream_;
  OfiPort::PeerId peer_id_ = 0;
  std::shared_ptr<void> route_;
  std::atomic<bool> has_peer_{false};  // Guarded by mutex_ too.
  std::uint64_t last_came_ = 0;        // Part of the other side's, taken or in incoming_.
  std::deque<Incoming> incoming_;
  std::uint64_t incoming_bytes_ = 0;
  std::uint64_t reads_ = 0;       // Under way.
  std::uint64_t owed_bytes_ = 0;  // Read since the other side was told.
};

}  // namespace cirein::fabric
