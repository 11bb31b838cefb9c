// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/shm_connection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "fabric/shm/shm_endpoint.h"
#include "runtime/guarded.h"

namespace cirein::fabric {
namespace {

// Pieces taken from one connection before it is the others' turn.
constexpr int kBatch = 64;
// What a connection keeps of the memory for one packet.
constexpr std::size_t kKeptBytesMax = std::size_t{1} << 20;
// Of a message that says why an operation failed.
constexpr std::size_t kErrorBytesMax = 512;

bool IsOneSided(ShmPacket kind) { return kind >= ShmPacket::kRead && kind <= ShmPacket::kPersist; }

std::uint8_t Code(ShmPacket kind) { return static_cast<std::uint8_t>(kind); }

// Readable when the process has ended; none when it is this one, or cannot be had.
FileDescriptor OpenProcess(std::int32_t pid) {
  if (pid <= 0 || pid == getpid()) return FileDescriptor();
  return FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace

ShmConnection::Waiting::Waiting(const PacketHead& head, Parts parts, std::vector<std::byte> owned)
    : bytes(std::move(owned)) {
  if (bytes.empty()) {
    bytes.reserve(head.bytes);
    for (const std::span<const std::byte> one : parts) {
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
  }
  part = bytes;
  cursor = PacketCursor(head, {&part, 1});
}

ShmConnection::ShmConnection(std::shared_ptr<ShmEndpoint> endpoint, Agreement agreement,
                             Service& service)
    : endpoint_(std::move(endpoint)),
      peer_(std::move(agreement.peer)),
      process_(agreement.process),
      service_(service),
      segment_(std::move(agreement.segment)),
      peer_wake_(std::move(agreement.peer_wake)),
      writer_(segment_->ring(agreement.side), segment_->control(agreement.side)),
      socket_(std::move(agreement.socket)),
      own_wake_(std::move(agreement.own_wake)),
      reader_(segment_->ring(1 - agreement.side), segment_->control(1 - agreement.side)) {}

ShmConnection::~ShmConnection() = default;

Status ShmConnection::Start() {
  Reactor& home = endpoint_->home();
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

// --- What the user calls ---

Status ShmConnection::CheckOpen() const {
  if (state_.load(std::memory_order_acquire) == State::kOpen && segment_ != nullptr) [[likely]]
    return OkStatus();
  return Unavailable(fmt::format("the connection to {} has ended", peer_), "connect again");
}

void ShmConnection::Look() {
  if (!writer_.Refresh().ok()) {
    broken_.store(true, std::memory_order_release);
    return endpoint_->Wake();
  }
  while (!unread_.empty() && unread_.front().end <= writer_.head()) {
    --load_number_;
    load_bytes_ -= unread_.front().bytes;
    unread_.pop_front();
  }
}

Status ShmConnection::CheckLoad(std::uint64_t bytes) {
  const Limits& limits = endpoint_->options().limits;
  const auto fits = [&] {
    return load_number_ < limits.outstanding_max &&
           bytes <= limits.outstanding_bytes_max - load_bytes_;
  };
  if (fits()) [[likely]]
    return OkStatus();
  Look();
  if (fits()) return OkStatus();
  return ResourceExhausted(fmt::format("{} messages and operations with {} bytes are on their way "
                                       "to {} or not answered",
                                       load_number_, load_bytes_, peer_),
                           "send less at once");
}

Result<std::uint64_t> ShmConnection::CheckMessage(Parts message) {
  CIREIN_RETURN_IF_ERROR(CheckOpen());
  const std::uint64_t limit = endpoint_->options().limits.message_bytes_max;
  std::uint64_t bytes = 0;
  for (const std::span<const std::byte> part : message) {
    if (part.size() > limit - bytes) {
      return InvalidArgument(fmt::format("a message has at most {} bytes", limit));
    }
    bytes += part.size();
  }
  CIREIN_RETURN_IF_ERROR(CheckLoad(bytes));
  return bytes;
}

Status ShmConnection::CheckOperation(std::uint64_t bytes) {
  CIREIN_RETURN_IF_ERROR(CheckOpen());
  const std::uint64_t limit = endpoint_->options().limits.outstanding_bytes_max;
  if (bytes > limit) {
    return InvalidArgument(fmt::format("one operation moves at most {} bytes", limit));
  }
  return CheckLoad(bytes);
}

void ShmConnection::Wrote(const PacketHead& head, Counts counts) {
  if (counts == Counts::kUntilRead) unread_.push_back({writer_.tail(), head.bytes});
}

void ShmConnection::WakePeer() {
  if (!writer_.TakeWish(kWakeForPieces)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(peer_wake_.get(), &one, sizeof one);
}

void ShmConnection::Put(const PacketHead& head, Parts parts, Counts counts,
                        std::vector<std::byte> owned) {
  if (counts == Counts::kUntilRead) {
    ++load_number_;
    load_bytes_ += head.bytes;
  }
  if (waiting_.empty()) {
    if (!writer_.Fits(head.bytes)) Look();
    if (writer_.Fits(head.bytes)) {
      PacketCursor cursor(head, parts);
      writer_.Write(cursor);
      Wrote(head, counts);
      return WakePeer();
    }
  }
  Waiting& waiting = waiting_.emplace_back(head, parts, std::move(owned));
  waiting.is_message = counts == Counts::kUntilRead;
  waiting.is_answer = counts == Counts::kAsAnswer;
  if (waiting.is_answer) {
    ++answers_waiting_;
    answer_bytes_waiting_ += head.bytes;
  }
  has_waiting_.store(true, std::memory_order_release);
  PumpOut();
  if (!waiting_.empty()) endpoint_->Wake();
}

bool ShmConnection::PumpOut() {
  Look();
  bool wrote = false;
  while (!waiting_.empty()) {
    Waiting& first = waiting_.front();
    wrote |= writer_.Write(first.cursor);
    if (!first.cursor.done()) break;
    if (first.is_answer) {
      --answers_waiting_;
      answer_bytes_waiting_ -= first.cursor.head().bytes;
    }
    Wrote(first.cursor.head(), first.is_message ? Counts::kUntilRead : Counts::kUntilAnswered);
    waiting_.pop_front();
  }
  if (waiting_.empty()) has_waiting_.store(false, std::memory_order_release);
  if (wrote) WakePeer();
  return wrote;
}

Status ShmConnection::Send(Parts message) {
  const std::lock_guard lock(mutex_);
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, CheckMessage(message));
  Put({.kind = Code(ShmPacket::kMessage), .status = 0, .number = 0, .bytes = bytes, .word = 0},
      message, Counts::kUntilRead);
  return OkStatus();
}

std::uint64_t ShmConnection::Begin(Deadline deadline, Pending pending) {
  const std::uint64_t number = ++last_number_;
  ++load_number_;
  load_bytes_ += pending.bytes;
  pending.timer = endpoint_->RunAtEndOf(deadline, [weak = weak_from_this(), number] {
    if (const auto self = weak.lock()) self->Expire(number);
  });
  pending_.emplace(number, std::move(pending));
  return number;
}

Status ShmConnection::Request(Parts message, Deadline deadline, ReplyCallback done) {
  const std::lock_guard lock(mutex_);
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, CheckMessage(message));
  const std::uint64_t number =
      Begin(deadline,
            {.done = std::move(done), .into = {}, .timer = 0, .bytes = bytes, .is_request = true});
  Put({.kind = Code(ShmPacket::kRequest), .status = 0, .number = number, .bytes = bytes, .word = 0},
      message, Counts::kUntilAnswered);
  return OkStatus();
}

Status ShmConnection::Reply(RequestId request, Parts message) {
  const std::lock_guard lock(mutex_);
  CIREIN_RETURN_IF_ERROR(CheckOpen());
  const auto found = asked_.find(request);
  if (found == asked_.end()) {
    return NotFound(fmt::format("request {} was answered, or never asked", request));
  }
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, CheckMessage(message));
  asked_.erase(found);
  Put({.kind = Code(ShmPacket::kReply), .status = 0, .number = request, .bytes = bytes, .word = 0},
      message, Counts::kUntilRead);
  return OkStatus();
}

Status ShmConnection::Operate(ShmPacket kind, const OperationHead& operation,
                              std::span<const std::byte> bytes, Deadline deadline,
                              Pending pending) {
  const std::lock_guard lock(mutex_);
  CIREIN_RETURN_IF_ERROR(CheckOperation(pending.bytes));
  const std::uint64_t number = Begin(deadline, std::move(pending));
  const std::array<std::span<const std::byte>, 2> parts = {std::as_bytes(std::span(&operation, 1)),
                                                           bytes};
  Put({.kind = Code(kind),
       .status = 0,
       .number = number,
       .bytes = sizeof operation + bytes.size(),
       .word = 0},
      parts, Counts::kUntilAnswered);
  return OkStatus();
}

Status ShmConnection::Read(const Grant& grant, std::uint64_t offset, std::span<std::byte> into,
                           Deadline deadline, DoneCallback done) {
  return Operate(ShmPacket::kRead, {grant.id, grant.key, offset, into.size(), 0, 0}, {}, deadline,
                 {std::move(done), into, 0, into.size(), false});
}

Status ShmConnection::Write(const Grant& grant, std::uint64_t offset,
                            std::span<const std::byte> bytes, Deadline deadline,
                            DoneCallback done) {
  return Operate(ShmPacket::kWrite, {grant.id, grant.key, offset, bytes.size(), 0, 0}, bytes,
                 deadline, {std::move(done), {}, 0, bytes.size(), false});
}

Status ShmConnection::CompareAndSwap(const Grant& grant, std::uint64_t offset, WordSwap swap,
                                     Deadline deadline, WordCallback done) {
  return Operate(ShmPacket::kSwap,
                 {grant.id, grant.key, offset, sizeof(std::uint64_t), swap.expected, swap.desired},
                 {}, deadline, {std::move(done), {}, 0, sizeof(std::uint64_t), false});
}

Status ShmConnection::FetchAdd(const Grant& grant, std::uint64_t offset, std::uint64_t add,
                               Deadline deadline, WordCallback done) {
  return Operate(ShmPacket::kAdd, {grant.id, grant.key, offset, sizeof(std::uint64_t), add, 0}, {},
                 deadline, {std::move(done), {}, 0, sizeof(std::uint64_t), false});
}

Status ShmConnection::Persist(const Grant& grant, ByteRange range, Deadline deadline,
                              DoneCallback done) {
  return Operate(ShmPacket::kPersist, {grant.id, grant.key, range.offset, range.bytes, 0, 0}, {},
                 deadline, {std::move(done), {}, 0, 0, false});
}

void ShmConnection::Close() {
  {
    const std::lock_guard lock(mutex_);
    const State before = state_.load(std::memory_order_relaxed);
    if (before == State::kClosed) return;
    state_.store(State::kClosed, std::memory_order_release);
    // One that had ended before tells its callbacks already.
    if (before == State::kEnded) return;
  }
  endpoint_->Submit([self = shared_from_this()] {
    self->FinishClose(
        Unavailable(fmt::format("the connection to {} was closed here", self->peer_)));
  });
}

// --- The home ---

bool ShmConnection::PrepareToBlock() {
  if (state_.load(std::memory_order_acquire) != State::kOpen) return true;
  const bool wants_room = has_waiting_.load(std::memory_order_acquire);
  reader_.SetWish(kWakeForPieces | (wants_room ? kWakeForRoom : 0U));
  if (reader_.HasPiece()) return false;
  if (!wants_room) return true;
  const std::lock_guard lock(mutex_);
  return !PumpOut();
}

void ShmConnection::Awake() {
  if (state_.load(std::memory_order_acquire) == State::kOpen) reader_.SetWish(0);
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
  static_cast<void>(endpoint_->home().Unwatch(socket_.fd()).ok());
  if (peer_process_.is_open()) {
    static_cast<void>(endpoint_->home().Unwatch(peer_process_.get()).ok());
  }
}

Status ShmConnection::Broken(const char* what) const {
  return Unavailable(fmt::format("{} breaks the rules of the fabric: {}", peer_, what),
                     "run the same version of Cirein on both sides");
}

bool ShmConnection::Poll() {
  const auto open = [this] { return state_.load(std::memory_order_acquire) == State::kOpen; };
  if (!open()) return false;
  bool did_something = false;
  if (has_waiting_.load(std::memory_order_acquire)) {
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
    if (!open()) return true;
    if (!taken.ok()) {
      End(taken);
      return true;
    }
  }
  if (reader_.has_taken()) {
    reader_.Release();
    const std::lock_guard lock(mutex_);
    if (writer_.TakeWish(kWakeForRoom)) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = write(peer_wake_.get(), &one, sizeof one);
    }
  }
  // One who goes on writing after its end is not waited for.
  if (peer_gone_ && (!reader_.HasPiece() || read_since_gone_ > kRingBytesMax)) {
    End(Unavailable(fmt::format("the process at {} has ended, or closed the connection", peer_),
                    "connect again"));
    return true;
  }
  return did_something;
}

Status ShmConnection::TakeFirst(const PacketHead& head) {
  const Limits& limits = endpoint_->options().limits;
  const auto kind = static_cast<ShmPacket>(head.kind);
  std::uint64_t most = limits.message_bytes_max;
  if (IsOneSided(kind)) {
    if (head.bytes < sizeof(OperationHead)) return Broken("an operation is too short");
    most = sizeof(OperationHead) + limits.outstanding_bytes_max;
  } else if (kind == ShmPacket::kDone) {
    most = std::max<std::uint64_t>(limits.outstanding_bytes_max, kErrorBytesMax);
  } else if (kind > ShmPacket::kDone) {
    return Broken("it sends what is not known here");
  }
  if (head.bytes > most) return Broken("it sends more at once than it may");
  packet_ = head;
  in_packet_ = true;
  bytes_.clear();
  if (bytes_.capacity() > kKeptBytesMax && head.bytes <= kKeptBytesMax) bytes_ = {};
  return OkStatus();
}

Status ShmConnection::TakePiece(const Piece& piece) {
  if (piece.is_first == in_packet_) return Broken("its pieces do not follow each other");
  if (piece.is_first) CIREIN_RETURN_IF_ERROR(TakeFirst(piece.head));
  if (piece.bytes.size() > packet_.bytes - bytes_.size()) {
    return Broken("a piece is longer than what it belongs to");
  }
  // Copied once: what follows looks at the copy alone.
  bytes_.insert(bytes_.end(), piece.bytes.begin(), piece.bytes.end());
  if (bytes_.size() < packet_.bytes) return OkStatus();
  in_packet_ = false;
  return Dispatch();
}

Status ShmConnection::Dispatch() {
  const auto kind = static_cast<ShmPacket>(packet_.kind);
  if (IsOneSided(kind)) return TakeOperation();
  switch (kind) {
    case ShmPacket::kRequest:
      return TakeRequest();
    case ShmPacket::kReply:
    case ShmPacket::kDone:
      return TakeAnswer();
    default:
      RunGuarded(endpoint_->home().name(),
                 [this] { service_.Message(shared_from_this(), bytes_); });
      return OkStatus();
  }
}

Status ShmConnection::TakeRequest() {
  {
    const std::lock_guard lock(mutex_);
    if (asked_.size() >= endpoint_->options().limits.outstanding_max) {
      return Broken("it asks for more at once than it may");
    }
    if (!asked_.emplace(packet_.number, std::monostate()).second) {
      return Broken("it asks twice by one number");
    }
  }
  RunGuarded(endpoint_->home().name(),
             [this] { service_.Request(shared_from_this(), packet_.number, bytes_); });
  return OkStatus();
}

Status ShmConnection::TakeAnswer() {
  Pending pending;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(packet_.number);
    const bool is_reply = static_cast<ShmPacket>(packet_.kind) == ShmPacket::kReply;
    if (found == pending_.end() || found->second.is_request != is_reply) {
      return Broken("it answers what was not asked");
    }
    if (!is_reply && packet_.status == 0 && bytes_.size() != found->second.into.size()) {
      return Broken("an answer is not as long as was asked");
    }
    if (packet_.status > static_cast<std::uint8_t>(StatusCode::kInternal)) {
      return Broken("an answer has no meaning");
    }
    pending = std::move(found->second);
    pending_.erase(found);
    --load_number_;
    load_bytes_ -= pending.bytes;
  }
  if (!pending.done) return OkStatus();
  endpoint_->CancelTimer(pending.timer);
  Status status;
  if (packet_.status != 0) {
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()),  // NOLINT: text
                                std::min(bytes_.size(), kErrorBytesMax));
    status = Status(static_cast<StatusCode>(packet_.status), EscapeForPeople(text, kErrorBytesMax));
  }
  Call(pending, status, packet_);
  return OkStatus();
}

void ShmConnection::Call(Pending& pending, const Status& status, const PacketHead& head) {
  if (!status.ok()) {
    return static_cast<void>(
        RunGuarded(endpoint_->home().name(), [&] { Fail(*pending.done, status); }));
  }
  if (!pending.into.empty()) {
    std::memcpy(pending.into.data(), bytes_.data(), pending.into.size());
  }
  RunGuarded(endpoint_->home().name(), [&] {
    if (const auto* reply = std::get_if<ReplyCallback>(&*pending.done)) {
      (*reply)(std::span<const std::byte>(bytes_));
    } else if (const auto* word = std::get_if<WordCallback>(&*pending.done)) {
      (*word)(head.word);
    } else {
      std::get<DoneCallback> (*pending.done)(status);
    }
  });
}

void ShmConnection::Fail(const Callback& callback, const Status& why) {
  std::visit([&why](const auto& call) { call(why); }, callback);
}

void ShmConnection::Expire(std::uint64_t number) {
  std::optional<Callback> done;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(number);
    if (found == pending_.end()) return;
    // It stays there, and counts, until it is answered.
    done = std::exchange(found->second.done, std::nullopt);
    found->second.timer = 0;
  }
  if (done) Fail(*done, DeadlineExceeded(fmt::format("{} did not answer in time", peer_)));
}

Status ShmConnection::TakeOperation() {
  OperationHead operation;
  std::memcpy(&operation, bytes_.data(), sizeof operation);
  const std::span<const std::byte> bytes = std::span(bytes_).subspan(sizeof operation);
  const bool is_write = static_cast<ShmPacket>(packet_.kind) == ShmPacket::kWrite;
  if (bytes.size() != (is_write ? operation.bytes : 0)) {
    return Broken("an operation has other bytes than it says");
  }
  if (static_cast<ShmPacket>(packet_.kind) == ShmPacket::kRead &&
      operation.bytes > endpoint_->options().limits.outstanding_bytes_max) {
    return Broken("it asks for more bytes than it may");
  }
  std::vector<std::byte> read;
  std::uint64_t word = 0;
  const Status status = Carry(operation, bytes, read, word);
  return PutAnswer(status, std::move(read), word);
}

Status ShmConnection::Carry(const OperationHead& operation, std::span<const std::byte> bytes,
                            std::vector<std::byte>& read, std::uint64_t& word) {
  const Grant grant{.id = operation.grant, .key = operation.key};
  const auto lock = endpoint_->LockGrants();
  GrantTable& grants = endpoint_->grants();
  const auto take_word = [&word](const Result<std::uint64_t>& before) {
    if (before.ok()) word = *before;
    return before.status();
  };
  switch (static_cast<ShmPacket>(packet_.kind)) {
    case ShmPacket::kRead: {
      read.resize(operation.bytes);
      Status status = grants.Read(grant, operation.offset, read);
      if (!status.ok()) read.clear();
      return status;
    }
    case ShmPacket::kWrite:
      return grants.Write(grant, operation.offset, bytes);
    case ShmPacket::kSwap:
      return take_word(
          grants.CompareAndSwap(grant, operation.offset, {operation.word, operation.other}));
    case ShmPacket::kAdd:
      return take_word(grants.FetchAdd(grant, operation.offset, operation.word));
    default:
      return grants.Persist(grant, {operation.offset, operation.bytes});
  }
}

Status ShmConnection::PutAnswer(const Status& status, std::vector<std::byte> bytes,
                                std::uint64_t word) {
  if (!status.ok()) {
    const auto text = std::as_bytes(std::span(status.message().substr(0, kErrorBytesMax)));
    bytes.assign(text.begin(), text.end());
  }
  const std::span<const std::byte> part = bytes;
  const Limits& limits = endpoint_->options().limits;
  const std::lock_guard lock(mutex_);
  if (segment_ == nullptr) return OkStatus();
  Put({.kind = Code(ShmPacket::kDone),
       .status = static_cast<std::uint8_t>(status.code()),
       .number = packet_.number,
       .bytes = part.size(),
       .word = word},
      {&part, 1}, Counts::kAsAnswer, std::move(bytes));
  // Who keeps to its own bounds never has more answers on their way.
  if (answers_waiting_ > limits.outstanding_max ||
      answer_bytes_waiting_ >
          limits.outstanding_bytes_max + limits.outstanding_max * kErrorBytesMax) {
    return Broken("it asks for more at once than it may");
  }
  return OkStatus();
}

// --- The end ---

void ShmConnection::Leave() {
  if (endpoint_->alive() && socket_.fd() >= 0) {
    Reactor& home = endpoint_->home();
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
  waiting_.clear();
  has_waiting_.store(false, std::memory_order_release);
  unread_.clear();
  asked_.clear();
}

void ShmConnection::FailPending(const Status& why) {
  // One at a time: a callback may end all this, and then calls what is left itself.
  for (;;) {
    std::optional<Callback> done;
    {
      const std::lock_guard lock(mutex_);
      if (pending_.empty()) return;
      Pending& first = pending_.begin()->second;
      endpoint_->CancelTimer(first.timer);
      done = std::move(first.done);
      pending_.erase(pending_.begin());
    }
    if (done) RunGuarded(peer_, [&] { Fail(*done, why); });
  }
}

void ShmConnection::End(const Status& why) {
  const auto self = shared_from_this();
  {
    const std::lock_guard lock(mutex_);
    if (state_.load(std::memory_order_relaxed) != State::kOpen) return;
    state_.store(State::kEnded, std::memory_order_release);
  }
  Leave();
  FailPending(why);
  endpoint_->Forget(*this);
  State ended = State::kEnded;
  if (state_.compare_exchange_strong(ended, State::kClosed)) {
    RunGuarded(peer_, [&] { service_.Closed(self, why); });
  }
}

void ShmConnection::FinishClose(const Status& why) {
  Leave();
  FailPending(why);
  endpoint_->Forget(*this);
}

void ShmConnection::Shut() {
  {
    const std::lock_guard lock(mutex_);
    state_.store(State::kClosed, std::memory_order_release);
  }
  Leave();
  FailPending(Unavailable("this process's transport has ended"));
}

void ShmConnection::Die() {
  {
    const std::lock_guard lock(mutex_);
    state_.store(State::kClosed, std::memory_order_release);
    for (auto& [number, pending] : pending_) endpoint_->CancelTimer(pending.timer);
    pending_.clear();
  }
  Leave();
}

}  // namespace cirein::fabric
