// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/shm_connection.h"

#include <array>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/syscall.h>

#include "fabric/shm/shm_endpoint.h"

namespace cirein::fabric {
namespace {

// Pieces taken from one connection before it is the others' turn.
constexpr int kBatch = 64;

// Readable when the process has ended; none when it is this one, or cannot be had.
FileDescriptor OpenProcess(std::int32_t pid) {
  if (pid <= 0 || pid == getpid()) return FileDescriptor();
  return FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace

ShmConnection::ShmConnection(std::shared_ptr<ShmEndpoint> endpoint, Agreement agreement,
                             Service& service)
    : PacketConnection(std::move(endpoint), std::move(agreement.peer), service),
      process_(agreement.process),
      segment_(std::move(agreement.segment)),
      peer_wake_(std::move(agreement.peer_wake)),
      writer_(segment_->ring(agreement.side), segment_->control(agreement.side)),
      socket_(std::move(agreement.socket)),
      own_wake_(std::move(agreement.own_wake)),
      reader_(segment_->ring(1 - agreement.side), segment_->control(1 - agreement.side)) {}

ShmConnection::~ShmConnection() = default;

Status ShmConnection::Start() {
  Reactor& home = endpoint().home();
  // The endpoint holds it for as long as it is watched.
  CIREIN_RETURN_IF_ERROR(
      home.Watch(socket_.fd(), FdInterest::kReadable, [this](FdReadiness) { OnSocket(); }));
  CIREIN_RETURN_IF_ERROR(home.Watch(own_wake_.get(), FdInterest::kReadable, [this](FdReadiness) {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t drained = read(own_wake_.get(), &ignored, sizeof ignored);
  }));
  peer_process_ = OpenProcess(process_.pid);
  if (!peer_process_.is_open()) return OkStatus();
  return home.Watch(peer_process_.get(), FdInterest::kReadable,
                    [this](FdReadiness) { OnPeerGone(); });
}

void ShmConnection::Look() {
  if (!writer_.Refresh().ok()) {
    broken_.store(true, std::memory_order_release);
    return endpoint().Wake();
  }
  ReadUpTo(writer_.head());
}

bool ShmConnection::TryWhole(const PacketHead& head, Parts parts) {
  if (!writer_.Fits(head.bytes)) Look();
  if (!writer_.Fits(head.bytes)) return false;
  PacketCursor cursor(head, parts);
  writer_.Write(cursor);
  return true;
}

void ShmConnection::WakePeer(WakeWish wish) {
  if (!writer_.TakeWish(wish)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(peer_wake_.get(), &one, sizeof one);
}

// --- The home ---

bool ShmConnection::PrepareToBlock() {
  if (!is_open()) return true;
  const bool wants_room = has_waiting();
  reader_.SetWish(kWakeForPieces | (wants_room ? kWakeForRoom : 0U));
  if (reader_.HasPiece()) return false;
  if (!wants_room) return true;
  const std::lock_guard lock(mutex_);
  return !PumpOut();
}

void ShmConnection::Awake() {
  if (is_open()) reader_.SetWish(0);
}

void ShmConnection::OnSocket() {
  std::array<std::byte, 1> byte{};
  const ControlSocket::Received received = socket_.Receive(byte);
  if (received.got == ControlSocket::Got::kNothing) return;
  if (received.got == ControlSocket::Got::kEnd) return OnPeerGone();
  End(Broken("it speaks over the socket of a connection that is there"));
}

void ShmConnection::OnPeerGone() {
  // What it had written before is still to be taken: by the next Poll.
  peer_gone_ = true;
  static_cast<void>(endpoint().home().Unwatch(socket_.fd()).ok());
  if (peer_process_.is_open()) {
    static_cast<void>(endpoint().home().Unwatch(peer_process_.get()).ok());
  }
}

bool ShmConnection::Poll() {
  if (!is_open()) return false;
  bool did_something = false;
  if (has_waiting()) {
    const std::lock_guard lock(mutex_);
    did_something = PumpOut();
  }
  if (broken_.load(std::memory_order_acquire)) {
    End(Broken("it says that it has read what was not written"));
    return true;
  }
  for (int i = 0; i < kBatch && reader_.HasPiece(); ++i) {
    did_something = true;
    const Result<std::optional<Piece>> piece = reader_.Next();
    if (!piece.ok() || !piece->has_value()) {
      End(Broken("a piece in its ring makes no sense"));
      return true;
    }
    if (peer_gone_) read_since_gone_ += kPieceUnit + (*piece)->bytes.size();
    const Status taken = TakePiece(**piece);
    if (!is_open()) return true;
    if (!taken.ok()) {
      End(taken);
      return true;
    }
  }
  if (reader_.has_taken()) {
    reader_.Release();
    const std::lock_guard lock(mutex_);
    WakePeer(kWakeForRoom);
  }
  // One who goes on writing after its end is not waited for.
  if (peer_gone_ && (!reader_.HasPiece() || read_since_gone_ > kRingBytesMax)) {
    End(Unavailable(fmt::format("the process at {} has ended, or closed the connection", peer()),
                    "connect again"));
    return true;
  }
  return did_something;
}

Status ShmConnection::TakePiece(const Piece& piece) {
  if (piece.is_first == in_packet()) return Broken("its pieces do not follow each other");
  if (piece.is_first) {
    CIREIN_RETURN_IF_ERROR(TakeHead(piece.head));
    if (piece.head.bytes == 0 && piece.bytes.empty()) return OkStatus();
  }
  return TakeBytes(piece.bytes, Shared::kWithPeer);
}

void ShmConnection::LeaveCarrier() {
  if (endpoint().alive() && socket_.fd() >= 0) {
    Reactor& home = endpoint().home();
    static_cast<void>(home.Unwatch(socket_.fd()).ok());
    static_cast<void>(home.Unwatch(own_wake_.get()).ok());
    if (peer_process_.is_open()) static_cast<void>(home.Unwatch(peer_process_.get()).ok());
  }
  socket_.Close();
  own_wake_.Close();
  peer_process_.Close();
  const std::lock_guard lock(mutex_);
  peer_wake_.Close();
  segment_.reset();
}

}  // namespace cirein::fabric
