// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "fabric/packet/packet_connection.h"
#include "fabric/shm/borrower.h"
#include "fabric/shm/handshake.h"
#include "fabric/shm/lender.h"
#include "fabric/shm/ring.h"
#include "runtime/reactor.h"

namespace cirein::fabric {

class ShmEndpoint;

/// One side of a connection over shared memory: packets go through rings, and what has been lent to
/// this side is reached without them.
class ShmConnection final : public PacketConnection {
 public:
  ShmConnection(std::shared_ptr<ShmEndpoint> endpoint, Agreement agreement, Service& service);
  ~ShmConnection() override;

  Status Start() override;
  bool Poll() override;
  bool PrepareToBlock() override;
  void Awake() override;

 private:
  void TrySome(PacketCursor& packet) override;
  std::uint64_t LastMark() const override { return writer_.tail(); }
  void Look() override;
  void Sent() override { WakePeer(kWakeForPieces); }
  void LeaveCarrier() override;
  std::optional<std::uint64_t> TryHere(PacketCode kind, const OperationHead& operation,
                                       std::span<const std::byte> bytes, std::span<std::byte> into,
                                       std::unique_lock<std::mutex>& lock) override;

  ShmEndpoint& shm_endpoint() const;
  /// With mutex_ held.
  void WakePeer(WakeWish wish);
  void SendWakeUp();

  // The home's.
  void OnSocket(FdReadiness readiness);
  void TakeFromSocket();
  void OnPeerGone();
  /// What is said of memory that is lent.
  Status TakeLoanMessage(const LoanMessage& message, std::vector<FileDescriptor> descriptors);
  Status TakeAsk(const LoanMessage& ask);
  struct Lent {
    Offer offer;
    unsigned line = 0;
  };
  std::optional<Lent> TryLend(const LoanMessage& ask);
  void TakeBack(unsigned line, std::uint64_t grant);
  /// What there was no room for in the socket, with a descriptor if it lends.
  struct Unsaid {
    LoanMessage message;
    FileDescriptor file;
  };
  /// Says it, now or when there is room, in the order of these calls. Why the connection ends.
  Status Say(Unsaid one);
  ControlSocket::Sent TrySay(Unsaid& one);
  void SayUnsaid();
  bool SayLoanMessages();
  Status TakePiece(const Piece& piece);

  const PeerProcess process_;
  const unsigned side_;

  // Guarded by mutex_; the segment and the socket are the home's too, which alone ends them.
  std::shared_ptr<Segment> segment_;
  ControlSocket socket_;
  RingWriter writer_;
  Borrower borrower_;
  std::atomic<bool> broken_{false};        // The other side's head makes no sense.
  std::atomic<bool> owes_wake_up_{false};  // There was no memory to send it.

  // The home's.
  std::deque<Unsaid> unsaid_;
  FileDescriptor peer_process_;
  std::shared_ptr<Lender> lender_;  // From the first ask on.
  RingReader reader_;
  bool peer_gone_ = false;
  std::uint64_t read_since_gone_ = 0;
};

}  // namespace cirein::fabric
