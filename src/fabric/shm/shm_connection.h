// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "fabric/packet/packet_connection.h"
#include "fabric/shm/handshake.h"
#include "fabric/shm/ring.h"

namespace cirein::fabric {

class ShmEndpoint;

/// One side of a connection over shared memory: packets go through rings.
class ShmConnection final : public PacketConnection {
 public:
  ShmConnection(std::shared_ptr<ShmEndpoint> endpoint, Agreement agreement, Service& service);
  ~ShmConnection() override;

  Status Start() override;
  bool Poll() override;
  bool PrepareToBlock() override;
  void Awake() override;

 private:
  bool TryWhole(const PacketHead& head, Parts parts) override;
  void TrySome(PacketCursor& packet) override { writer_.Write(packet); }
  std::uint64_t LastMark() const override { return writer_.tail(); }
  void Look() override;
  void Sent() override { WakePeer(kWakeForPieces); }
  void LeaveCarrier() override;

  void WakePeer(WakeWish wish);

  // The home's.
  void OnSocket();
  void OnPeerGone();
  Status TakePiece(const Piece& piece);

  const PeerProcess process_;

  // Guarded by mutex_; the segment is the home's too, which alone ends it.
  std::unique_ptr<Segment> segment_;
  FileDescriptor peer_wake_;
  RingWriter writer_;
  std::atomic<bool> broken_{false};  // The other side's head makes no sense.

  // The home's.
  ControlSocket socket_;
  FileDescriptor own_wake_;
  FileDescriptor peer_process_;
  RingReader reader_;
  bool peer_gone_ = false;
  std::uint64_t read_since_gone_ = 0;
};

}  // namespace cirein::fabric
