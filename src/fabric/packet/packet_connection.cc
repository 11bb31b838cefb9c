// SPDX-License-Identifier: Apache-2.0
#include "fabric/packet/packet_connection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "fabric/packet/packet_endpoint.h"
#include "runtime/guarded.h"

namespace cirein::fabric {
namespace {

// Of a message that says why an operation failed.
constexpr std::size_t kErrorBytesMax = 512;
// What a connection keeps of the memory for one packet.
constexpr std::size_t kKeptBytesMax = std::size_t{1} << 20;

bool IsOneSided(PacketCode kind) {
  return kind >= PacketCode::kRead && kind <= PacketCode::kPersist;
}

// As RunGuarded, of something too large to be put into a function without memory for it.
template <typename Work>
void RunUsers(std::string_view where, const Work& work) {
  RunGuarded(where, std::cref(work));
}

std::uint8_t Code(PacketCode kind) { return static_cast<std::uint8_t>(kind); }

bool HasNoTime(Deadline deadline) {
  return !deadline.is_default() && !deadline.is_none() && deadline.after().count() == 0;
}

}  // namespace

PacketConnection::Waiting::Waiting(PacketCursor packet, Counts counts_as)
    : bytes(packet.rest()), part(bytes), cursor(packet.Continued({&part, 1})), counts(counts_as) {
  packet.CopyTo(bytes);
}

PacketConnection::PacketConnection(std::shared_ptr<PacketEndpoint> endpoint, Address peer,
                                   Service& service)
    : endpoint_(std::move(endpoint)), peer_(std::move(peer)), service_(service) {}

// --- What the user calls ---

Status PacketConnection::CheckOpen() const {
  if (is_open()) [[likely]]
    return OkStatus();
  return Unavailable(fmt::format("the connection to {} has ended", peer_), "connect again");
}

Status PacketConnection::CheckLoad(std::uint64_t bytes, const Load& load) {
  const Limits& limits = endpoint_->options().limits;
  const auto fits = [&] {
    return load.number < limits.outstanding_max &&
           bytes <= limits.outstanding_bytes_max - load.bytes;
  };
  if (fits()) [[likely]]
    return OkStatus();
  Look();
  if (fits()) return OkStatus();
  return ResourceExhausted(fmt::format("{} messages and operations with {} bytes are on their way "
                                       "to {} or not answered",
                                       load.number, load.bytes, peer_),
                           "send less at once");
}

Result<std::uint64_t> PacketConnection::CheckMessage(Parts message, const Load& load) {
  CIREIN_RETURN_IF_ERROR(CheckOpen());
  const std::uint64_t limit = endpoint_->options().limits.message_bytes_max;
  std::uint64_t bytes = 0;
  for (const std::span<const std::byte> part : message) {
    if (part.size() > limit - bytes) {
      return InvalidArgument(fmt::format("a message has at most {} bytes", limit));
    }
    bytes += part.size();
  }
  CIREIN_RETURN_IF_ERROR(CheckLoad(bytes, load));
  return bytes;
}

Status PacketConnection::CheckOperation(std::uint64_t bytes) {
  CIREIN_RETURN_IF_ERROR(CheckOpen());
  const std::uint64_t limit = endpoint_->options().limits.outstanding_bytes_max;
  if (bytes > limit) {
    return InvalidArgument(fmt::format("one operation moves at most {} bytes", limit));
  }
  return CheckLoad(bytes, begun_);
}

void PacketConnection::ReadUpTo(std::uint64_t mark) {
  while (!unread_.empty() && unread_.front().mark <= mark) {
    unread_.front().load->Remove(unread_.front().bytes);
    unread_.pop_front();
  }
}

PacketConnection::Load* PacketConnection::LoadOf(Counts counts) {
  if (counts == Counts::kUntilRead) return &begun_;
  return counts == Counts::kReplyUntilRead ? &replies_ : nullptr;
}

void PacketConnection::Wrote(const PacketHead& head, Counts counts) {
  if (Load* const load = LoadOf(counts)) unread_.push_back({LastMark(), head.bytes, load});
}

void PacketConnection::Put(const PacketHead& head, Parts parts, Counts counts) {
  if (Load* const load = LoadOf(counts)) load->Add(head.bytes);
  PacketCursor packet(head, parts);
  if (waiting_.empty()) [[likely]] {
    TrySome(packet);
    if (packet.done()) [[likely]] {
      Wrote(head, counts);
      return Sent();
    }
    if (packet.begun()) Sent();
  }
  waiting_.emplace_back(packet, counts);
  if (counts == Counts::kAsAnswer) {
    ++answers_waiting_;
    answer_bytes_waiting_ += head.bytes;
  }
  has_waiting_.store(true, std::memory_order_release);
  PumpOut();
  if (!waiting_.empty()) endpoint_->Wake();
}

bool PacketConnection::PumpOut() {
  Look();
  bool wrote = false;
  while (!waiting_.empty()) {
    Waiting& first = waiting_.front();
    const std::uint64_t rest = first.cursor.rest();
    const bool had_begun = first.cursor.begun();
    TrySome(first.cursor);
    wrote |= first.cursor.begun() != had_begun || first.cursor.rest() != rest;
    if (!first.cursor.done()) break;
    if (first.counts == Counts::kAsAnswer) {
      --answers_waiting_;
      answer_bytes_waiting_ -= first.cursor.head().bytes;
    }
    Wrote(first.cursor.head(), first.counts);
    waiting_.pop_front();
  }
  if (waiting_.empty()) has_waiting_.store(false, std::memory_order_release);
  if (wrote) Sent();
  return wrote;
}

Status PacketConnection::Send(Parts message) {
  const std::lock_guard lock(mutex_);
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, CheckMessage(message, begun_));
  Put({.kind = Code(PacketCode::kMessage), .status = 0, .number = 0, .bytes = bytes, .word = 0},
      message, Counts::kUntilRead);
  return OkStatus();
}

void PacketConnection::StartTimer(TimePoint end) {
  if (end >= timer_end_) return;
  StopTimer();
  timer_end_ = end;
  timer_ = endpoint_->RunAt(end, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Expire();
  });
}

void PacketConnection::StopTimer() {
  endpoint_->CancelTimer(std::exchange(timer_, 0));
  timer_end_ = kEndOfTime;
}

std::uint64_t PacketConnection::Begin(Pending pending) {
  begun_.Add(pending.bytes);
  return pending_.Add(std::move(pending));
}

// After the packet has gone: the other side is not to wait for a look at the clock. What it answers
// is not taken before this, since mutex_ is held.
void PacketConnection::StartDeadline(std::uint64_t number, Deadline deadline) {
  const TimePoint end = endpoint_->EndOf(deadline);
  pending_.SetEnd(number, end);
  StartTimer(end);
}

Status PacketConnection::Request(Parts message, Deadline deadline, ReplyCallback done) {
  const std::lock_guard lock(mutex_);
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, CheckMessage(message, begun_));
  const std::uint64_t number =
      Begin({.done = std::move(done), .into = {}, .bytes = bytes, .is_request = true});
  Put({.kind = Code(PacketCode::kRequest),
       .status = 0,
       .number = number,
       .bytes = bytes,
       .word = 0},
      message, Counts::kUntilAnswered);
  StartDeadline(number, deadline);
  return OkStatus();
}

RequestId* PacketConnection::AskedAt(RequestId request) {
  const std::uint64_t places = PendingTable<Pending>::PlacesNeeded(request);
  return places == 0 || places > asked_.size() ? nullptr : &asked_[places - 1];
}

Status PacketConnection::Reply(RequestId request, Parts message) {
  const std::lock_guard lock(mutex_);
  CIREIN_RETURN_IF_ERROR(CheckOpen());
  RequestId* const asked = AskedAt(request);
  if (asked == nullptr || *asked != request) {
    return NotFound(fmt::format("request {} was answered, or never asked", request));
  }
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, CheckMessage(message, replies_));
  *asked = 0;
  Put({.kind = Code(PacketCode::kReply), .status = 0, .number = request, .bytes = bytes, .word = 0},
      message, Counts::kReplyUntilRead);
  return OkStatus();
}

Status PacketConnection::Operate(PacketCode kind, const OperationHead& operation,
                                 std::span<const std::byte> bytes, Deadline deadline,
                                 Pending pending) {
  std::unique_lock lock(mutex_);
  CIREIN_RETURN_IF_ERROR(CheckOperation(pending.bytes));
  // What is done at once would come before what is on its way; and who gives it no time is told so.
  if (operations_ == 0 && !HasNoTime(deadline)) {
    // Counted from its beginning on: others may begin theirs meanwhile.
    begun_.Add(pending.bytes);
    if (const auto word = TryHere(kind, operation, bytes, pending.into, lock)) {
      // Who put the first of them there has woken the home, or is its thread.
      const bool wakes = finished_.empty() && !endpoint_->on_home();
      finished_.push_back({std::move(*pending.done), pending.bytes, *word});
      has_finished_.store(true, std::memory_order_release);
      if (wakes) endpoint_->Wake();
      return OkStatus();
    }
    begun_.Remove(pending.bytes);
  }
  ++operations_;
  const std::uint64_t number = Begin(std::move(pending));
  const std::array<std::span<const std::byte>, 2> parts = {std::as_bytes(std::span(&operation, 1)),
                                                           bytes};
  Put({.kind = Code(kind),
       .status = 0,
       .number = number,
       .bytes = sizeof operation + bytes.size(),
       .word = 0},
      parts, Counts::kUntilAnswered);
  StartDeadline(number, deadline);
  return OkStatus();
}

Status PacketConnection::Read(const Grant& grant, std::uint64_t offset, std::span<std::byte> into,
                              Deadline deadline, DoneCallback done) {
  return Operate(PacketCode::kRead, {grant.id, grant.key, offset, into.size(), 0, 0}, {}, deadline,
                 {std::move(done), into, into.size(), false});
}

Status PacketConnection::Write(const Grant& grant, std::uint64_t offset,
                               std::span<const std::byte> bytes, Deadline deadline,
                               DoneCallback done) {
  return Operate(PacketCode::kWrite, {grant.id, grant.key, offset, bytes.size(), 0, 0}, bytes,
                 deadline, {std::move(done), {}, bytes.size(), false});
}

Status PacketConnection::CompareAndSwap(const Grant& grant, std::uint64_t offset, WordSwap swap,
                                        Deadline deadline, WordCallback done) {
  return Operate(PacketCode::kSwap,
                 {grant.id, grant.key, offset, sizeof(std::uint64_t), swap.expected, swap.desired},
                 {}, deadline, {std::move(done), {}, sizeof(std::uint64_t), false});
}

Status PacketConnection::FetchAdd(const Grant& grant, std::uint64_t offset, std::uint64_t add,
                                  Deadline deadline, WordCallback done) {
  return Operate(PacketCode::kAdd, {grant.id, grant.key, offset, sizeof(std::uint64_t), add, 0}, {},
                 deadline, {std::move(done), {}, sizeof(std::uint64_t), false});
}

Status PacketConnection::Persist(const Grant& grant, ByteRange range, Deadline deadline,
                                 DoneCallback done) {
  return Operate(PacketCode::kPersist, {grant.id, grant.key, range.offset, range.bytes, 0, 0}, {},
                 deadline, {std::move(done), {}, 0, false});
}

void PacketConnection::Close() {
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

Status PacketConnection::Broken(std::string_view what) const {
  return Unavailable(fmt::format("{} breaks the rules of the fabric: {}", peer_, what),
                     "run the same version of Cirein on both sides");
}

Status PacketConnection::CheckHead(const PacketHead& head) const {
  const Limits& limits = endpoint_->options().limits;
  const auto kind = static_cast<PacketCode>(head.kind);
  std::uint64_t most = limits.message_bytes_max;
  if (IsOneSided(kind)) {
    if (head.bytes < sizeof(OperationHead)) return Broken("an operation is too short");
    most = sizeof(OperationHead) + limits.outstanding_bytes_max;
  } else if (kind == PacketCode::kDone) {
    most = std::max<std::uint64_t>(limits.outstanding_bytes_max, kErrorBytesMax);
  } else if (kind > PacketCode::kDone || head.kind == 0) {
    return Broken("it sends what is not known here");
  }
  if (head.bytes > most) return Broken("it sends more at once than it may");
  return OkStatus();
}

PacketConnection::Place PacketConnection::PlaceOf(const PacketHead& head) const {
  switch (static_cast<PacketCode>(head.kind)) {
    case PacketCode::kWrite:
      return Place::kMemory;
    case PacketCode::kDone: {
      if (head.status != 0 || head.bytes == 0) return Place::kHere;
      const std::lock_guard lock(mutex_);
      const Pending* const found = pending_.Find(head.number);
      const bool fits = found != nullptr && found->into.size() == head.bytes;
      return fits ? Place::kInto : Place::kHere;
    }
    default:
      return Place::kHere;
  }
}

Status PacketConnection::TakeHead(const PacketHead& head) {
  if (in_packet_) return Broken("its packets do not follow each other");
  CIREIN_RETURN_IF_ERROR(CheckHead(head));
  packet_ = head;
  place_ = PlaceOf(head);
  in_packet_ = true;
  taken_ = 0;
  bytes_.clear();
  if (bytes_.capacity() > kKeptBytesMax && head.bytes <= kKeptBytesMax) bytes_ = {};
  return head.bytes == 0 ? TakeBytes({}, Shared::kWithNobody) : OkStatus();
}

Status PacketConnection::TakeBytes(std::span<const std::byte> bytes, Shared shared) {
  if (!in_packet_) return Broken("bytes of its belong to no packet");
  if (bytes.size() > packet_.bytes - taken_) return Broken("a packet is longer than it said");
  const bool is_whole = bytes.size() == packet_.bytes;
  taken_ += bytes.size();
  in_packet_ = taken_ < packet_.bytes;
  if (place_ == Place::kInto) return TakeInto(bytes);
  if (place_ == Place::kMemory) return TakeWritten(bytes);
  if (is_whole && shared == Shared::kWithNobody) return Dispatch(packet_, bytes);
  // Copied once: what follows looks at the copy alone.
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return in_packet_ ? OkStatus() : Dispatch(packet_, bytes_);
}

Status PacketConnection::TakeInto(std::span<const std::byte> bytes) {
  std::span<std::byte> into;
  {
    const std::lock_guard lock(mutex_);
    const Pending* const found = pending_.Find(packet_.number);
    // Once its deadline has passed the memory is the reader's own again: here alone that is told.
    if (found != nullptr && found->done) into = found->into;
  }
  // A piece may have no bytes, and then no place either.
  if (!into.empty() && !bytes.empty()) {
    std::memcpy(into.data() + (taken_ - bytes.size()), bytes.data(), bytes.size());
  }
  return in_packet_ ? OkStatus() : TakeAnswer(packet_, {});
}

Status PacketConnection::TakeWritten(std::span<const std::byte> bytes) {
  OperationHead operation;
  const std::size_t missing = sizeof operation - bytes_.size();
  const std::size_t of_head = std::min(missing, bytes.size());
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(of_head));
  if (bytes_.size() < sizeof operation) return OkStatus();
  std::memcpy(&operation, bytes_.data(), sizeof operation);
  if (operation.bytes != packet_.bytes - sizeof operation) {
    return Broken("an operation has other bytes than it says");
  }
  const Grant grant{.id = operation.grant, .key = operation.key};
  const std::span<const std::byte> rest = bytes.subspan(of_head);
  {
    const auto lock = endpoint_->LockGrants();
    GrantTable& grants = endpoint_->grants();
    if (of_head > 0) {
      written_ = grants.Check(grant, {operation.offset, operation.bytes}, Access::kWrite);
    }
    if (written_.ok() && !rest.empty()) {
      const std::uint64_t at = taken_ - sizeof operation - rest.size();
      written_ = grants.Write(grant, operation.offset + at, rest);
    }
  }
  return in_packet_ ? OkStatus() : PutAnswer(packet_.number, written_, {}, 0);
}

Status PacketConnection::Dispatch(const PacketHead& head, std::span<const std::byte> bytes) {
  const auto kind = static_cast<PacketCode>(head.kind);
  if (IsOneSided(kind)) return TakeOperation(head, bytes);
  switch (kind) {
    case PacketCode::kRequest:
      return TakeRequest(head, bytes);
    case PacketCode::kReply:
    case PacketCode::kDone:
      return TakeAnswer(head, bytes);
    default:
      RunUsers(endpoint_->home().name(), [&] { service_.Message(shared_from_this(), bytes); });
      return OkStatus();
  }
}

Status PacketConnection::TakeRequest(const PacketHead& head, std::span<const std::byte> bytes) {
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t places = PendingTable<Pending>::PlacesNeeded(head.number);
    if (places == 0 || places > endpoint_->options().limits.outstanding_max) {
      return Broken("it asks for more at once than it may");
    }
    if (places > asked_.size()) asked_.resize(places);
    RequestId& asked = asked_[places - 1];
    if (asked != 0) return Broken("it asks twice by one number");
    asked = head.number;
  }
  RunUsers(endpoint_->home().name(),
           [&] { service_.Request(shared_from_this(), head.number, bytes); });
  return OkStatus();
}

Status PacketConnection::TakeAnswer(const PacketHead& head, std::span<const std::byte> bytes) {
  std::optional<Pending> answered;
  {
    const std::lock_guard lock(mutex_);
    const Pending* const found = pending_.Find(head.number);
    const bool is_reply = static_cast<PacketCode>(head.kind) == PacketCode::kReply;
    if (found == nullptr || found->is_request != is_reply) {
      return Broken("it answers what was not asked");
    }
    if (!is_reply && head.status == 0 && head.bytes != found->into.size()) {
      return Broken("an answer is not as long as was asked");
    }
    if (head.status > static_cast<std::uint8_t>(StatusCode::kInternal)) {
      return Broken("an answer has no meaning");
    }
    answered.emplace(pending_.Take(head.number));
    begun_.Remove(answered->bytes);
    if (!is_reply) --operations_;
  }
  if (!answered->done) return OkStatus();
  Status status;
  if (head.status != 0) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()),  // NOLINT: text
                                std::min(bytes.size(), kErrorBytesMax));
    status = Status(static_cast<StatusCode>(head.status), EscapeForPeople(text, kErrorBytesMax));
  }
  Call(*answered, status, head, bytes);
  return OkStatus();
}

void PacketConnection::Call(Pending& pending, const Status& status, const PacketHead& head,
                            std::span<const std::byte> bytes) {
  if (!status.ok()) {
    return RunUsers(endpoint_->home().name(), [&] { Fail(*pending.done, status); });
  }
  RunUsers(endpoint_->home().name(), [&] {
    if (const auto* reply = std::get_if<ReplyCallback>(&*pending.done)) {
      (*reply)(bytes);
    } else if (const auto* word = std::get_if<WordCallback>(&*pending.done)) {
      (*word)(head.word);
    } else {
      std::get<DoneCallback> (*pending.done)(status);
    }
  });
}

bool PacketConnection::CallFinished() {
  if (!has_finished()) return false;
  // Those that there are now: one that begins the next one is not to keep the home for ever.
  std::size_t left = 0;
  {
    const std::lock_guard lock(mutex_);
    left = finished_.size();
  }
  for (; left > 0; --left) {
    std::optional<Finished> first;
    {
      const std::lock_guard lock(mutex_);
      // A callback may have ended all this, which has called them.
      if (finished_.empty()) break;
      first = std::move(finished_.front());
      finished_.pop_front();
      begun_.Remove(first->bytes);
      if (finished_.empty()) has_finished_.store(false, std::memory_order_relaxed);
    }
    RunUsers(endpoint_->home().name(), [&] {
      if (const auto* word = std::get_if<WordCallback>(&first->done)) return (*word)(first->word);
      std::get<DoneCallback>(first->done)(OkStatus());
    });
  }
  return true;
}

void PacketConnection::Fail(const Callback& callback, const Status& why) {
  std::visit([&why](const auto& call) { call(why); }, callback);
}

void PacketConnection::Expire() {
  std::vector<std::uint64_t> due;
  {
    const std::lock_guard lock(mutex_);
    due = pending_.EndThose(endpoint_->home().clock().Now());
    StopTimer();
    StartTimer(pending_.NextEnd());
  }
  // One at a time, as in FailPending.
  for (const std::uint64_t number : due) {
    std::optional<Callback> done;
    {
      const std::lock_guard lock(mutex_);
      Pending* const found = pending_.Find(number);
      // It stays there, and counts, until it is answered.
      if (found != nullptr) done = std::exchange(found->done, std::nullopt);
    }
    if (!done) continue;
    RunUsers(peer_, [&] {
      Fail(*done, DeadlineExceeded(fmt::format("{} did not answer in time", peer_)));
    });
  }
}

Status PacketConnection::TakeOperation(const PacketHead& head, std::span<const std::byte> packet) {
  OperationHead operation;
  std::memcpy(&operation, packet.data(), sizeof operation);
  const auto kind = static_cast<PacketCode>(head.kind);
  if (packet.size() != sizeof operation) {
    return Broken("an operation has other bytes than it says");
  }
  if (kind == PacketCode::kRead &&
      operation.bytes > endpoint_->options().limits.outstanding_bytes_max) {
    return Broken("it asks for more bytes than it may");
  }
  // What is read goes out as it stands in the memory, which stays granted until then.
  const auto lock = endpoint_->LockGrants();
  std::span<const std::byte> read;
  std::uint64_t word = 0;
  const Status status = Carry(kind, operation, read, word);
  return PutAnswer(head.number, status, read, word);
}

Status PacketConnection::Carry(PacketCode kind, const OperationHead& operation,
                               std::span<const std::byte>& read, std::uint64_t& word) {
  const Grant grant{.id = operation.grant, .key = operation.key};
  GrantTable& grants = endpoint_->grants();
  const auto take = [](const auto& got, auto& into) {
    if (got.ok()) into = *got;
    return got.status();
  };
  switch (kind) {
    case PacketCode::kRead:
      return take(grants.View(grant, {operation.offset, operation.bytes}), read);
    case PacketCode::kSwap:
      return take(grants.CompareAndSwap(grant, operation.offset, {operation.word, operation.other}),
                  word);
    case PacketCode::kAdd:
      return take(grants.FetchAdd(grant, operation.offset, operation.word), word);
    default:
      return grants.Persist(grant, {operation.offset, operation.bytes});
  }
}

Status PacketConnection::PutAnswer(std::uint64_t number, const Status& status,
                                   std::span<const std::byte> part, std::uint64_t word) {
  if (!status.ok()) {
    part = std::as_bytes(std::span(status.message().substr(0, kErrorBytesMax)));
  }
  const Limits& limits = endpoint_->options().limits;
  const std::lock_guard lock(mutex_);
  if (left_) return OkStatus();
  Put({.kind = Code(PacketCode::kDone),
       .status = static_cast<std::uint8_t>(status.code()),
       .number = number,
       .bytes = part.size(),
       .word = word},
      {&part, 1}, Counts::kAsAnswer);
  // Who keeps to its own bounds never has more answers on their way.
  if (answers_waiting_ > limits.outstanding_max ||
      answer_bytes_waiting_ >
          limits.outstanding_bytes_max + limits.outstanding_max * kErrorBytesMax) {
    return Broken("it asks for more at once than it may");
  }
  return OkStatus();
}

// --- The end ---

void PacketConnection::Leave() {
  LeaveCarrier();
  const std::lock_guard lock(mutex_);
  left_ = true;
  StopTimer();
  waiting_.clear();
  has_waiting_.store(false, std::memory_order_release);
  unread_.clear();
  asked_.clear();
}

void PacketConnection::FailPending(const Status& why) {
  while (CallFinished()) {
  }
  // One at a time: a callback may end all this, and then calls what is left itself.
  for (;;) {
    std::optional<Callback> done;
    {
      const std::lock_guard lock(mutex_);
      if (pending_.empty()) return;
      done = std::move(pending_.TakeFirst()->done);
    }
    if (done) RunUsers(peer_, [&] { Fail(*done, why); });
  }
}

void PacketConnection::End(const Status& why) {
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
    RunUsers(peer_, [&] { service_.Closed(self, why); });
  }
}

void PacketConnection::FinishClose(const Status& why) {
  Leave();
  FailPending(why);
  endpoint_->Forget(*this);
}

void PacketConnection::Shut() {
  {
    const std::lock_guard lock(mutex_);
    state_.store(State::kClosed, std::memory_order_release);
  }
  Leave();
  FailPending(Unavailable("this process's transport has ended"));
}

void PacketConnection::Die() {
  {
    const std::lock_guard lock(mutex_);
    state_.store(State::kClosed, std::memory_order_release);
    pending_ = {};
    finished_.clear();
    has_finished_.store(false, std::memory_order_relaxed);
  }
  Leave();
}

}  // namespace cirein::fabric
