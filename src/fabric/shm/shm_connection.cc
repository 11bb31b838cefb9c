// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/shm_connection.h"

#include <fcntl.h>
#include <poll.h>
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
      side_(agreement.side),
      segment_(std::move(agreement.segment)),
      peer_wake_(std::move(agreement.peer_wake)),
      writer_(segment_->ring(agreement.side), segment_->control(agreement.side)),
      borrower_(segment_, 1 - agreement.side, shm_endpoint().mappings()),
      socket_(std::move(agreement.socket)),
      own_wake_(std::move(agreement.own_wake)),
      reader_(segment_->ring(1 - agreement.side), segment_->control(1 - agreement.side)) {}

ShmConnection::~ShmConnection() = default;

ShmEndpoint& ShmConnection::shm_endpoint() const {
  // It was made by one.
  return static_cast<ShmEndpoint&>(endpoint());
}

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

void ShmConnection::TrySome(PacketCursor& packet) {
  if (!writer_.Fits(packet.rest())) Look();
  writer_.Write(packet);
}

void ShmConnection::WakePeer(WakeWish wish) {
  if (!writer_.TakeWish(wish)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(peer_wake_.get(), &one, sizeof one);
}

std::optional<std::uint64_t> ShmConnection::TryHere(PacketCode kind, const OperationHead& operation,
                                                    std::span<const std::byte> bytes,
                                                    std::span<std::byte> into) {
  const auto word = borrower_.TryOperation(kind, operation, bytes, into);
  if (!word && borrower_.has_asks() && !endpoint().on_home()) endpoint().Wake();
  return word;
}

// --- The home ---

bool ShmConnection::PrepareToBlock() {
  if (!is_open()) return true;
  if (has_finished() || borrower_.has_asks()) return false;
  if (lender_ != nullptr && lender_->has_withdrawals()) return false;
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
  LoanMessage message;
  ControlSocket::Received received =
      socket_.Receive(std::as_writable_bytes(std::span(&message, 1)));
  if (received.got == ControlSocket::Got::kNothing) return;
  if (received.got == ControlSocket::Got::kEnd) return OnPeerGone();
  Status taken = Broken("it says what is not known over the socket of a connection");
  if (received.bytes == sizeof message && message.magic == LoanMessage::kMagic) {
    taken = TakeLoanMessage(message, std::move(received.descriptors));
  }
  if (!taken.ok()) End(taken);
}

Status ShmConnection::TakeLoanMessage(const LoanMessage& message,
                                      std::vector<FileDescriptor> descriptors) {
  if (descriptors.size() > (message.kind == LoanKind::kLend ? 1 : 0)) {
    return Broken("it sends descriptors that nobody asked for");
  }
  bool allowed = true;
  std::optional<LoanMessage> answer;
  switch (message.kind) {
    case LoanKind::kAsk:
      return TakeAsk(message);
    case LoanKind::kRelease:
      if (lender_ == nullptr || !lender_->Release(message.line, message.grant)) {
        return Broken("it gives back what it was not lent");
      }
      shm_endpoint().loans().Remove(message.grant, *lender_);
      return OkStatus();
    case LoanKind::kLend: {
      const std::lock_guard lock(mutex_);
      const FileDescriptor none;
      allowed =
          borrower_.TakeLend(message, descriptors.empty() ? none : descriptors.front(), answer);
      break;
    }
    case LoanKind::kRefuse: {
      const std::lock_guard lock(mutex_);
      allowed = borrower_.TakeRefuse(message);
      break;
    }
    case LoanKind::kWithdraw: {
      const std::lock_guard lock(mutex_);
      allowed = borrower_.TakeWithdraw(message, answer);
      break;
    }
    default:
      allowed = false;
  }
  if (!allowed) return Broken("what it says of memory that is lent makes no sense");
  // Who has gone needs no answer.
  if (answer) static_cast<void>(socket_.Send(BytesOf(*answer), {}).ok());
  return OkStatus();
}

Status ShmConnection::TakeAsk(const LoanMessage& ask) {
  if (lender_ != nullptr && lender_->HasLent(ask.grant)) {
    return Broken("it asks for what it was lent");
  }
  LoanMessage answer{.kind = LoanKind::kRefuse, .grant = ask.grant};
  std::optional<Lent> lent = TryLend(ask);
  if (!lent) {
    static_cast<void>(socket_.Send(BytesOf(answer), {}).ok());
    return OkStatus();
  }
  answer.kind = LoanKind::kLend;
  answer.line = lent->line;
  answer.bytes = lent->offer.bytes;
  answer.access = static_cast<std::uint8_t>(lent->offer.access);
  const int file = lent->offer.file.get();
  if (!socket_.Send(BytesOf(answer), {&file, 1}).ok()) TakeBack(lent->line, ask.grant);
  return OkStatus();
}

std::optional<ShmConnection::Lent> ShmConnection::TryLend(const LoanMessage& ask) {
  const Mappings mappings = shm_endpoint().mappings();
  // One whose death could not be told from its silence could keep the memory for ever.
  const bool death_is_told = peer_process_.is_open() || process_.pid == getpid();
  if (mappings == Mappings::kNone || !death_is_told || peer_gone_) return std::nullopt;
  if (shm_endpoint().loans().quarantined() >= Loans::kQuarantineMax) return std::nullopt;
  if (lender_ == nullptr) {
    // While its socket is there its number is not another process's.
    pollfd socket{.fd = socket_.fd(), .events = POLLRDHUP, .revents = 0};
    if (poll(&socket, 1, 0) != 0) return std::nullopt;
    FileDescriptor borrower(fcntl(peer_process_.get(), F_DUPFD_CLOEXEC, 0));
    if (!borrower.is_open() && peer_process_.is_open()) return std::nullopt;
    lender_ = std::make_shared<Lender>(segment_, side_, std::move(borrower));
  }
  // Held until all know of it: who revokes comes before, or finds it.
  const auto lock = endpoint().LockGrants();
  const auto whole = endpoint().grants().WholeRegion({.id = ask.grant, .key = ask.key});
  if (!whole) return std::nullopt;
  std::optional<Offer> offer = MakeOffer(*whole, mappings);
  if (!offer) return std::nullopt;
  const std::optional<unsigned> line = lender_->Lend(ask.grant);
  if (!line) return std::nullopt;
  shm_endpoint().loans().Add(ask.grant, lender_, whole->region);
  return Lent{std::move(*offer), *line};
}

void ShmConnection::TakeBack(unsigned line, std::uint64_t grant) {
  static_cast<void>(lender_->Release(line, grant));
  shm_endpoint().loans().Remove(grant, *lender_);
}

bool ShmConnection::SendLoanMessages() {
  std::vector<LoanMessage> messages;
  if (borrower_.has_asks()) {
    const std::lock_guard lock(mutex_);
    messages = borrower_.TakeAsks();
  }
  if (lender_ != nullptr && lender_->has_withdrawals()) {
    const auto withdrawals = lender_->TakeWithdrawals();
    messages.insert(messages.end(), withdrawals.begin(), withdrawals.end());
  }
  // What cannot be said leaves things as they are: packets, and a line that is not used again.
  for (const LoanMessage& message : messages) {
    static_cast<void>(socket_.Send(BytesOf(message), {}).ok());
  }
  return !messages.empty();
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
  bool did_something = SendLoanMessages();
  did_something |= CallFinished();
  if (!is_open()) return true;
  if (has_waiting()) {
    const std::lock_guard lock(mutex_);
    did_something |= PumpOut();
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
    // In the order in which they were begun.
    if (CallFinished() && !is_open()) return true;
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
  if (lender_ != nullptr) shm_endpoint().SettleAtEnd(*lender_);
  {
    // With it the last operation in a mapping has ended, before the other side sees the end.
    const std::lock_guard lock(mutex_);
    borrower_.Clear();
    peer_wake_.Close();
    segment_.reset();
  }
  lender_.reset();
  socket_.Close();
  own_wake_.Close();
  peer_process_.Close();
}

}  // namespace cirein::fabric
