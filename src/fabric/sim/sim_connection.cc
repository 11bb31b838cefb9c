// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/sim_connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace cirein::fabric {
SimConnection::SimConnection(std::shared_ptr<SimEndpoint> endpoint, LinkPtr link, LinkSide side,
                             Service& service)
    : endpoint_(std::move(endpoint)),
      side_(side),
      link_id_(link->id),
      peer_("sim://" + link->directions[side].to),
      service_(service),
      link_(std::move(link)) {}

void SimConnection::Accept() {
  state_ = State::kOpen;
  endpoint_->Add(*link_, side_, shared_from_this());
  endpoint_->Post("connected", [self = shared_from_this()] {
    if (self->state_ == State::kClosed) return;
    auto welcome = std::make_shared<Packet>();
    welcome->kind = PacketKind::kWelcome;
    self->Put(std::move(welcome));
    self->service_.Connected(self);
  });
}

// --- What the user calls ---

Status SimConnection::CheckOpen() const {
  if (state_ == State::kOpen && endpoint_->alive()) [[likely]]
    return OkStatus();
  return Unavailable(fmt::format("the connection to {} has ended", peer_), "connect again");
}

Status SimConnection::CheckLoad(std::uint64_t bytes, const Load& load) const {
  const Limits& limits = endpoint_->wire().options().limits;
  if (load.number < limits.outstanding_max && bytes <= limits.outstanding_bytes_max - load.bytes)
      [[likely]]
    return OkStatus();
  return ResourceExhausted(fmt::format("{} messages and operations with {} bytes are on their way "
                                       "to {} or not answered",
                                       load.number, load.bytes, peer_),
                           "send less at once");
}

Result<std::uint64_t> SimConnection::CheckMessage(Parts message, const Load& load) const {
  CIREIN_RETURN_IF_ERROR(CheckOpen());
  const std::uint64_t limit = endpoint_->wire().options().limits.message_bytes_max;
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

PacketPtr SimConnection::MakeMessage(PacketKind kind, Parts message, Toll toll) {
  auto packet = std::make_shared<Packet>();
  packet->kind = kind;
  packet->bytes.reserve(toll.bytes());
  for (const std::span<const std::byte> part : message) {
    packet->bytes.insert(packet->bytes.end(), part.begin(), part.end());
  }
  packet->toll = std::move(toll);
  endpoint_->Charge(endpoint_->wire().model().MessageCpu(packet->bytes.size()));
  return packet;
}

void SimConnection::Put(PacketPtr packet) {
  if (link_ == nullptr) return;
  endpoint_->Emit([wire = endpoint_->shared_wire(), link = link_, side = side_,
                   packet = std::move(packet)] { wire->Put(link, side, packet); });
}

Status SimConnection::Send(Parts message) {
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, CheckMessage(message, *begun_));
  Put(MakeMessage(PacketKind::kMessage, message, Toll(begun_, bytes)));
  return OkStatus();
}

Status SimConnection::Request(Parts message, Deadline deadline, ReplyCallback done) {
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, CheckMessage(message, *begun_));
  Begin(MakeMessage(PacketKind::kRequest, message, Toll(begun_, bytes)), deadline,
        {std::move(done), {}, 0});
  return OkStatus();
}

Status SimConnection::Reply(RequestId request, Parts message) {
  CIREIN_RETURN_IF_ERROR(CheckOpen());
  const auto found = asked_.find(request);
  if (found == asked_.end()) {
    return NotFound(fmt::format("request {} was answered, or never asked", request));
  }
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, CheckMessage(message, *replies_));
  const PacketPtr packet = MakeMessage(PacketKind::kReply, message, Toll(replies_, bytes));
  packet->number = request;
  // The asker's share is given back when the answer is there, or lost.
  packet->asker_toll = std::move(found->second);
  asked_.erase(found);
  Put(packet);
  return OkStatus();
}

void SimConnection::Begin(PacketPtr packet, Deadline deadline, Pending pending) {
  const std::uint64_t number = ++last_number_;
  packet->number = number;
  pending.timer = endpoint_->RunAt(endpoint_->EndOf(deadline), [weak = weak_from_this(), number] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->Finish(number, DeadlineExceeded(fmt::format("{} did not answer in time", self->peer_)),
                 nullptr);
  });
  pending_.emplace(number, std::move(pending));
  Put(std::move(packet));
}

Status SimConnection::Operate(PacketPtr packet, std::uint64_t bytes, Deadline deadline,
                              Pending pending) {
  packet->toll = Toll(begun_, bytes);
  endpoint_->Charge(endpoint_->wire().model().OperationCpu(packet->bytes.size()));
  Begin(std::move(packet), deadline, std::move(pending));
  return OkStatus();
}

Status SimConnection::CheckOperation(std::uint64_t bytes) const {
  CIREIN_RETURN_IF_ERROR(CheckOpen());
  const std::uint64_t limit = endpoint_->wire().options().limits.outstanding_bytes_max;
  if (bytes > limit) {
    return InvalidArgument(fmt::format("one operation moves at most {} bytes", limit));
  }
  return CheckLoad(bytes, *begun_);
}

Status SimConnection::Read(const Grant& grant, std::uint64_t offset, std::span<std::byte> into,
                           Deadline deadline, DoneCallback done) {
  CIREIN_RETURN_IF_ERROR(CheckOperation(into.size()));
  auto packet = std::make_shared<Packet>();
  packet->kind = PacketKind::kRead;
  packet->grant = grant;
  packet->range = {offset, into.size()};
  return Operate(std::move(packet), into.size(), deadline, {std::move(done), into, 0});
}

Status SimConnection::Write(const Grant& grant, std::uint64_t offset,
                            std::span<const std::byte> bytes, Deadline deadline,
                            DoneCallback done) {
  CIREIN_RETURN_IF_ERROR(CheckOperation(bytes.size()));
  auto packet = std::make_shared<Packet>();
  packet->kind = PacketKind::kWrite;
  packet->grant = grant;
  packet->range = {offset, bytes.size()};
  // Copied: the caller may have them back at the deadline, while the packet is still on its way.
  packet->bytes.assign(bytes.begin(), bytes.end());
  return Operate(std::move(packet), bytes.size(), deadline, {std::move(done), {}, 0});
}

Status SimConnection::CompareAndSwap(const Grant& grant, std::uint64_t offset, WordSwap swap,
                                     Deadline deadline, WordCallback done) {
  CIREIN_RETURN_IF_ERROR(CheckOperation(sizeof(std::uint64_t)));
  auto packet = std::make_shared<Packet>();
  packet->kind = PacketKind::kSwap;
  packet->grant = grant;
  packet->range = {offset, sizeof(std::uint64_t)};
  packet->swap = swap;
  return Operate(std::move(packet), sizeof(std::uint64_t), deadline, {std::move(done), {}, 0});
}

Status SimConnection::FetchAdd(const Grant& grant, std::uint64_t offset, std::uint64_t add,
                               Deadline deadline, WordCallback done) {
  CIREIN_RETURN_IF_ERROR(CheckOperation(sizeof(std::uint64_t)));
  auto packet = std::make_shared<Packet>();
  packet->kind = PacketKind::kAdd;
  packet->grant = grant;
  packet->range = {offset, sizeof(std::uint64_t)};
  packet->word = add;
  return Operate(std::move(packet), sizeof(std::uint64_t), deadline, {std::move(done), {}, 0});
}

Status SimConnection::Persist(const Grant& grant, ByteRange range, Deadline deadline,
                              DoneCallback done) {
  CIREIN_RETURN_IF_ERROR(CheckOperation(0));
  auto packet = std::make_shared<Packet>();
  packet->kind = PacketKind::kPersist;
  packet->grant = grant;
  packet->range = range;
  return Operate(std::move(packet), 0, deadline, {std::move(done), {}, 0});
}

void SimConnection::Close() {
  if (state_ == State::kClosed || !endpoint_->alive()) return;
  const bool was_open = state_ == State::kOpen;
  state_ = State::kClosed;
  // One that had ended before has told its callbacks already.
  if (!was_open) return;
  const LinkPtr link = std::exchange(link_, nullptr);
  endpoint_->Emit(
      [wire = endpoint_->shared_wire(), link, side = side_] { wire->Close(link, side); });
  TellEnd(Unavailable(fmt::format("the connection to {} was closed here", peer_)));
}

// --- What the network calls ---

void SimConnection::Arrived(const PacketPtr& packet) {
  if (packet->kind == PacketKind::kEnd) return End(packet->status);
  if (packet->kind == PacketKind::kWelcome && state_ == State::kConnecting) {
    state_ = State::kOpen;
    endpoint_->wire().Watch(link_, side_);
    endpoint_->Post("connected", [endpoint = endpoint_, id = link_id_] {
      endpoint->FinishConnect(id, OkStatus());
    });
    return;
  }
  // A process that is dead, though nobody has said so yet, answers nothing.
  if (state_ != State::kOpen || !endpoint_->alive()) return;
  if (IsOneSided(packet->kind) && endpoint_->wire().model().one_sided_by_hardware()) {
    endpoint_->wire().Put(link_, side_, TakeEffect(*packet));
    return;
  }
  endpoint_->Post(PacketName(packet->kind),
                  [self = shared_from_this(), packet] { self->Handle(*packet); });
}

void SimConnection::Handle(Packet& packet) {
  if (state_ == State::kClosed) return;
  const CostModel& model = endpoint_->wire().model();
  if (IsOneSided(packet.kind)) {
    // Whatever the length of what is persisted, nothing is copied for it.
    const bool copies = packet.kind != PacketKind::kPersist;
    endpoint_->Charge(model.one_sided_cpu + model.MessageCpu(copies ? packet.range.bytes : 0));
    return Put(TakeEffect(packet));
  }
  if (packet.kind == PacketKind::kDone) {
    endpoint_->Charge(model.OperationCpu(packet.bytes.size()));
    return Finish(packet.number, packet.status, &packet);
  }
  endpoint_->Charge(model.MessageCpu(packet.bytes.size()));
  const auto self = shared_from_this();
  switch (packet.kind) {
    case PacketKind::kRequest:
      asked_[packet.number] = std::move(packet.toll);
      return service_.Request(self, packet.number, packet.bytes);
    case PacketKind::kReply:
      packet.toll = Toll();
      packet.asker_toll = Toll();
      return Finish(packet.number, OkStatus(), &packet);
    default:
      packet.toll = Toll();
      return service_.Message(self, packet.bytes);
  }
}

PacketPtr SimConnection::TakeEffect(Packet& packet) {
  auto answer = std::make_shared<Packet>();
  answer->kind = PacketKind::kDone;
  answer->number = packet.number;
  answer->toll = std::move(packet.toll);
  GrantTable& grants = endpoint_->grants();
  const auto take_word = [&answer](const Result<std::uint64_t>& word) {
    answer->status = word.status();
    if (word.ok()) answer->word = *word;
  };
  switch (packet.kind) {
    case PacketKind::kRead:
      answer->bytes.resize(packet.range.bytes);
      answer->status = grants.Read(packet.grant, packet.range.offset, answer->bytes);
      if (!answer->status.ok()) answer->bytes.clear();
      break;
    case PacketKind::kWrite:
      answer->status = grants.Write(packet.grant, packet.range.offset, packet.bytes);
      break;
    case PacketKind::kSwap:
      take_word(grants.CompareAndSwap(packet.grant, packet.range.offset, packet.swap));
      break;
    case PacketKind::kAdd:
      take_word(grants.FetchAdd(packet.grant, packet.range.offset, packet.word));
      break;
    default:
      answer->status = grants.Persist(packet.grant, packet.range);
      if (answer->status.ok()) {
        answer->held = endpoint_->wire().model().PersistTime(packet.range.bytes);
      }
      break;
  }
  return answer;
}

void SimConnection::Finish(std::uint64_t number, const Status& status, const Packet* answer) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return;
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  endpoint_->CancelTimer(pending.timer);
  if (!status.ok() || answer == nullptr) return Fail(pending.done, status);
  if (!pending.into.empty()) {
    std::memcpy(pending.into.data(), answer->bytes.data(), pending.into.size());
  }
  if (const auto* reply = std::get_if<ReplyCallback>(&pending.done)) {
    return (*reply)(std::span<const std::byte>(answer->bytes));
  }
  if (const auto* word = std::get_if<WordCallback>(&pending.done)) return (*word)(answer->word);
  std::get<DoneCallback>(pending.done)(status);
}

void SimConnection::Fail(const Callback& callback, const Status& why) {
  std::visit([&why](const auto& call) { call(why); }, callback);
}

void SimConnection::End(const Status& why) {
  if (state_ != State::kConnecting && state_ != State::kOpen) return;
  const bool was_open = state_ == State::kOpen;
  state_ = was_open ? State::kEnded : State::kClosed;
  const auto self = shared_from_this();  // The link may be what holds it.
  const LinkPtr link = std::exchange(link_, nullptr);
  if (link->sides[1 - side_] != nullptr) endpoint_->wire().PutEnd(link, side_, why);
  endpoint_->wire().Detach(link, side_);
  if (was_open) return TellEnd(why);
  endpoint_->Post("refused",
                  [endpoint = endpoint_, id = link_id_, why] { endpoint->FinishConnect(id, why); });
}

void SimConnection::TellEnd(const Status& why) {
  // One piece for each: one that throws takes nothing from the others.
  for (const auto& [number, pending] : pending_) {
    endpoint_->Post(
        "ended", [self = shared_from_this(), id = number, why] { self->Finish(id, why, nullptr); });
  }
  endpoint_->Post("closed", [self = shared_from_this(), why] {
    self->endpoint_->Forget(self->link_id_, self->side_);
    self->asked_.clear();
    if (std::exchange(self->state_, State::kClosed) == State::kEnded) {
      self->service_.Closed(self, why);
    }
  });
}

void SimConnection::Die() {
  state_ = State::kClosed;
  link_ = nullptr;
}

void SimConnection::GiveUp() {
  state_ = State::kClosed;
  const LinkPtr link = std::exchange(link_, nullptr);
  if (link == nullptr) return;
  endpoint_->Emit([wire = endpoint_->shared_wire(), link] { wire->Abandon(link); });
}

std::vector<SimConnection::Callback> SimConnection::Shut() {
  const LinkPtr link = std::exchange(link_, nullptr);
  if (link != nullptr) {
    if (!endpoint_->alive()) {
      endpoint_->wire().SideGone(link, side_, SimWire::Gone::kLost);
    } else if (state_ == State::kConnecting) {
      endpoint_->Emit([wire = endpoint_->shared_wire(), link] { wire->Abandon(link); });
    } else {
      endpoint_->Emit(
          [wire = endpoint_->shared_wire(), link, side = side_] { wire->Close(link, side); });
    }
  }
  state_ = State::kClosed;
  std::vector<Callback> callbacks;
  for (auto& [number, pending] : std::exchange(pending_, {})) {
    endpoint_->CancelTimer(pending.timer);
    callbacks.push_back(std::move(pending.done));
  }
  asked_.clear();
  return callbacks;
}

}  // namespace cirein::fabric
