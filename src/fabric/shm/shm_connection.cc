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

// What is copied under a lock: less takes no longer than to take the lock once more.
constexpr std::uint64_t kLongBytes = 4096;
// One who keeps to the rules is never told a third as much at once.
constexpr std::size_t kUnsaidMax = 8 * std::size_t{kLoansMax};

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
      socket_(std::move(agreement.socket)),
      writer_(segment_->ring(agreement.side), segment_->control(agreement.side)),
      borrower_(segment_, 1 - agreement.side, shm_endpoint().mappings()),
      reader_(segment_->ring(1 - agreement.side), segment_->control(1 - agreement.side)) {}

ShmConnection::~ShmConnection() = default;

ShmEndpoint& ShmConnection::shm_endpoint() const {
  // It was made by one.
  return static_cast<ShmEndpoint&>(endpoint());
}

Status ShmConnection::Start() {
  Reactor& home = endpoint().home();
  // The endpoint holds it for as long as it is watched.
  CIREIN_RETURN_IF_ERROR(home.Watch(socket_.fd(), FdInterest::kReadable,
                                    [this](FdReadiness readiness) { OnSocket(readiness); }));
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
  if (writer_.TakeWish(wish)) SendWakeUp();
}

void ShmConnection::SendWakeUp() {
  // Without room in its socket there is something that it has not read: that wakes it as well, and
  // it looks at the rings after it has read it.
  if (socket_.TrySend({&kWakeUp, 1}, {}) != ControlSocket::Sent::kNoMeans) return;
  owes_wake_up_.store(true, std::memory_order_release);
  if (!endpoint().on_home()) endpoint().Wake();
}

std::optional<std::uint64_t> ShmConnection::TryHere(PacketCode kind, const OperationHead& operation,
                                                    std::span<const std::byte> bytes,
                                                    std::span<std::byte> into,
                                                    std::unique_lock<std::mutex>& lock) {
  auto use = borrower_.Begin(kind, operation);
  if (!use) {
    if (borrower_.has_messages() && !endpoint().on_home()) endpoint().Wake();
    return std::nullopt;
  }
  const bool is_long = operation.bytes >= kLongBytes;
  if (is_long) lock.unlock();
  const std::uint64_t word = Borrower::Operate(kind, operation, *use, bytes, into);
  if (is_long) lock.lock();
  borrower_.End(std::move(*use));
  if (borrower_.has_messages() && !endpoint().on_home()) endpoint().Wake();
  return word;
}

// --- The home ---

bool ShmConnection::PrepareToBlock() {
  if (!is_open()) return true;
  if (has_finished() || borrower_.has_messages()) return false;
  if (owes_wake_up_.load(std::memory_order_acquire)) return false;
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

void ShmConnection::OnSocket(FdReadiness readiness) {
  if (readiness.writable) SayUnsaid();
  if (readiness.readable || readiness.failed) TakeFromSocket();
}

void ShmConnection::TakeFromSocket() {
  LoanMessage message;
  ControlSocket::Received received =
      socket_.Receive(std::as_writable_bytes(std::span(&message, 1)));
  if (received.got == ControlSocket::Got::kNothing) return;
  if (received.got == ControlSocket::Got::kEnd) return OnPeerGone();
  const std::byte first = std::as_bytes(std::span(&message, 1)).front();
  if (received.bytes == 1 && first == kWakeUp && received.descriptors.empty()) return;
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
  return answer ? Say({*answer, {}}) : OkStatus();
}

Status ShmConnection::TakeAsk(const LoanMessage& ask) {
  if (lender_ != nullptr && lender_->HasLent(ask.grant)) {
    return Broken("it asks for what it was lent");
  }
  LoanMessage answer{.kind = LoanKind::kRefuse, .grant = ask.grant};
  std::optional<Lent> lent = TryLend(ask);
  if (!lent) return Say({answer, {}});
  answer.kind = LoanKind::kLend;
  answer.line = lent->line;
  answer.bytes = lent->offer.bytes;
  answer.access = static_cast<std::uint8_t>(lent->offer.access);
  return Say({answer, std::move(lent->offer.file)});
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

ControlSocket::Sent ShmConnection::TrySay(Unsaid& one) {
  const int file = one.file.get();
  const std::span<const int> files(&file, one.file.is_open() ? 1 : 0);
  const ControlSocket::Sent sent = socket_.TrySend(BytesOf(one.message), files);
  if (sent != ControlSocket::Sent::kNoMeans || files.empty()) return sent;
  // The system carries no more descriptors: then by packets.
  TakeBack(one.message.line, one.message.grant);
  one = {{.kind = LoanKind::kRefuse, .grant = one.message.grant}, {}};
  return socket_.TrySend(BytesOf(one.message), {});
}

Status ShmConnection::Say(Unsaid one) {
  if (unsaid_.empty()) {
    const ControlSocket::Sent sent = TrySay(one);
    // Who has gone needs no answer.
    if (sent == ControlSocket::Sent::kWhole || sent == ControlSocket::Sent::kGone)
      return OkStatus();
    static_cast<void>(
        endpoint().home().SetInterest(socket_.fd(), FdInterest::kReadableOrWritable).ok());
  }
  if (unsaid_.size() >= kUnsaidMax) return Broken("it asks on and on, and hears no answer");
  unsaid_.push_back(std::move(one));
  return OkStatus();
}

void ShmConnection::SayUnsaid() {
  for (; !unsaid_.empty(); unsaid_.pop_front()) {
    const ControlSocket::Sent sent = TrySay(unsaid_.front());
    if (sent == ControlSocket::Sent::kNoRoom || sent == ControlSocket::Sent::kNoMeans) return;
  }
  static_cast<void>(endpoint().home().SetInterest(socket_.fd(), FdInterest::kReadable).ok());
}

bool ShmConnection::SayLoanMessages() {
  std::vector<LoanMessage> messages;
  if (borrower_.has_messages()) {
    const std::lock_guard lock(mutex_);
    messages = borrower_.TakeMessages();
  }
  if (lender_ != nullptr && lender_->has_withdrawals()) {
    const auto withdrawals = lender_->TakeWithdrawals();
    messages.insert(messages.end(), withdrawals.begin(), withdrawals.end());
  }
  for (const LoanMessage& message : messages) {
    const Status said = Say({message, {}});
    if (said.ok()) continue;
    End(said);
    break;
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
  bool did_something = SayLoanMessages();
  if (!is_open()) return true;
  did_something |= CallFinished();
  if (!is_open()) return true;
  if (owes_wake_up_.exchange(false, std::memory_order_acq_rel)) {
    const std::lock_guard lock(mutex_);
    SendWakeUp();
  }
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
    if (peer_process_.is_open()) static_cast<void>(home.Unwatch(peer_process_.get()).ok());
  }
  if (lender_ != nullptr) shm_endpoint().SettleAtEnd(*lender_);
  {
    // With it the last operation in a mapping has ended, before the other side sees the end.
    std::unique_lock lock(mutex_);
    borrower_.Clear(lock);
    segment_.reset();
    socket_.Close();
  }
  lender_.reset();
  unsaid_.clear();
  peer_process_.Close();
}

}  // namespace cirein::fabric
