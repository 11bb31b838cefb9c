// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "fabric/ofi/ofi_endpoint.h"

namespace cirein::fabric {
namespace {

// Reads of one connection at once: the memory for them is all connections'.
constexpr std::uint64_t kReadsMax = 4;
// What an answer may have where nothing was asked for: why there is none.
constexpr std::uint64_t kAnswerBytesMin = 512;
// What has more parts is put together first.
constexpr std::size_t kUserPartsMax = 7;

std::span<const std::byte> BytesOfHead(const OfiHead& head) {
  return std::as_bytes(std::span(&head, 1));
}

}  // namespace

OfiConnection::OfiConnection(std::shared_ptr<OfiEndpoint> endpoint, OfiAgreement agreement,
                             Service& service)
    : PacketConnection(std::move(endpoint), std::move(agreement.peer), service),
      own_token_(agreement.own_token),
      peer_token_(agreement.peer_token),
      peer_name_(std::move(agreement.peer_name)),
      stream_(std::move(agreement.stream)),
      route_(std::move(agreement.route)) {}

OfiConnection::~OfiConnection() = default;

OfiEndpoint& OfiConnection::ofi() const { return static_cast<OfiEndpoint&>(endpoint()); }

Status OfiConnection::Start() {
  CIREIN_ASSIGN_OR_RETURN(peer_id_, ofi().port().AddPeer(peer_name_));
  has_peer_ = true;
  stream_.NoticeDeath(ofi().keepalive());
  // The endpoint holds it for as long as it is watched.
  CIREIN_RETURN_IF_ERROR(endpoint().home().Watch(stream_.fd(), FdInterest::kReadable,
                                                 [this](FdReadiness) { OnSocket(); }));
  ofi().Opened(*this);
  return OkStatus();
}

// --- Sending, with mutex_ held ---

OfiHead OfiConnection::MakeHead(OfiPart part) const {
  OfiHead head;
  head.part = part;
  head.token = peer_token_;
  head.sequence = last_sent_;
  head.read_up_to = last_taken_;
  return head;
}

bool OfiConnection::SendPart(const OfiHead& head, Parts bytes) {
  std::array<std::span<const std::byte>, kUserPartsMax + 1> parts;
  parts[0] = BytesOfHead(head);
  std::copy(bytes.begin(), bytes.end(), parts.begin() + 1);
  const Result<bool> sent = ofi().port().Send(peer_id_, Parts(parts).first(bytes.size() + 1));
  if (!sent.ok()) broken_ = sent.status();
  if (!sent.ok() || !*sent) return false;
  told_taken_ = head.read_up_to;
  if (head.part != OfiPart::kAck) last_sent_ = head.sequence;
  return true;
}

void OfiConnection::TrySome(PacketCursor& packet) {
  if (!endpoint().on_home() || !has_peer_ || refused_at_ == ofi().progress()) return;
  while (!packet.done()) {
    OfiHead head = MakeHead(packet.begun() ? OfiPart::kMore : OfiPart::kFirst);
    head.sequence = last_sent_ + 1;
    head.kind = packet.head().kind;
    head.status = packet.head().status;
    head.number = packet.head().number;
    head.bytes = packet.head().bytes;
    head.word = packet.head().word;
    const bool sent =
        packet.rest() > ofi().inline_bytes_max() ? ShowPart(packet, head) : SendRest(packet, head);
    if (sent) continue;
    refused_at_ = ofi().progress();
    return;
  }
}

bool OfiConnection::SendRest(PacketCursor& packet, OfiHead head) {
  head.part_bytes = packet.rest();
  if (!packet.begun() && packet.parts().size() <= kUserPartsMax) {
    if (!SendPart(head, packet.parts())) return false;
    packet = packet.Finished();
    return true;
  }
  PacketCursor after = packet;
  std::vector<std::byte> bytes(packet.rest());
  after.CopyTo(bytes);
  const std::span<const std::byte> part = bytes;
  if (!SendPart(head, {&part, 1})) return false;
  packet = after;
  return true;
}

bool OfiConnection::ShowPart(PacketCursor& packet, OfiHead head) {
  OfiEndpoint& own = ofi();
  head.part_bytes = std::min(packet.rest(), kShownBytesMax);
  if (!own.MayShow(shown_bytes_, head.part_bytes)) return false;
  Result<OfiPort::Lease> lease = own.port().Lend(head.part_bytes);
  if (!lease.ok()) return false;
  head.is_shown = 1;
  const OfiPort::RemoteBuffer at = own.port().Describe(*lease);
  const OfiShown shown{.address = at.address, .key = at.key};
  const std::span<const std::byte> part = std::as_bytes(std::span(&shown, 1));
  PacketCursor after = packet;
  after.CopyTo(lease->bytes());
  if (!SendPart(head, {&part, 1})) return false;
  packet = after;
  own.Shown(head.part_bytes);
  shown_bytes_ += head.part_bytes;
  shown_.push_back({.sequence = head.sequence, .lease = std::move(*lease)});
  return true;
}

Status OfiConnection::TakeRead(std::uint64_t read_up_to) {
  if (read_up_to < peer_read_) return OkStatus();
  if (read_up_to > last_sent_) return Broken("it says that it has read what was not sent");
  peer_read_ = read_up_to;
  while (!shown_.empty() && shown_.front().sequence <= read_up_to) {
    shown_bytes_ -= shown_.front().lease.bytes().size();
    ofi().NotShown(shown_.front().lease.bytes().size());
    shown_.pop_front();
  }
  ReadUpTo(read_up_to);
  return OkStatus();
}

// --- The home ---

void OfiConnection::OnSocket() {
  const Result<ControlStream::Received> received = stream_.Receive();
  if (received.ok() && received->got == ControlStream::Got::kNothing) return;
  if (received.ok() && received->got == ControlStream::Got::kEnd) {
    return End(Unavailable(fmt::format("the process at {} has ended, cannot be reached, or closed "
                                       "the connection",
                                       peer()),
                           "connect again"));
  }
  End(Broken("it speaks over the socket of a connection that is there"));
}

bool OfiConnection::Poll() {
  if (!is_open()) return false;
  if (!incoming_.empty() && reads_ < kReadsMax) Advance();
  if (!is_open() || !has_waiting()) return false;
  Status broken;
  bool sent = false;
  {
    const std::lock_guard lock(mutex_);
    sent = PumpOut();
    broken = broken_;
  }
  if (!broken.ok()) Lost(broken);
  return sent || !broken.ok();
}

bool OfiConnection::PrepareToBlock() {
  // The port wakes the home when it may take what waits.
  return true;
}

void OfiConnection::Take(const OfiMessage& message) {
  const auto self = shared_from_this();
  if (!is_open()) return;
  const OfiHead& head = message.head;
  Status read;
  {
    const std::lock_guard lock(mutex_);
    read = TakeRead(head.read_up_to);
  }
  if (!read.ok()) return End(read);
  const bool is_next =
      head.part == OfiPart::kAck ? head.sequence == last_came_ : head.sequence == last_came_ + 1;
  if (!is_next) {
    return End(
        Unavailable(fmt::format("something that {} sent was lost", peer()), "connect again"));
  }
  if (head.part == OfiPart::kAck) return;
  ++last_came_;
  Status taken;
  if (incoming_.empty() && head.is_shown == 0) {
    taken = TakeInOrder(head, message.bytes);
  } else {
    taken = Keep(message);
    if (taken.ok()) Advance();
  }
  if (!taken.ok()) End(taken);
}

void OfiConnection::Lost(const Status& why) {
  End(Unavailable(fmt::format("the way to {} is broken: {}", peer(), why.message()),
                  "connect again"));
}

Status OfiConnection::TakeInOrder(const OfiHead& head, std::span<const std::byte> bytes) {
  {
    // First: what is called may answer at once, and says then that this was read.
    const std::lock_guard lock(mutex_);
    last_taken_ = head.sequence;
  }
  Owe(bytes.size());
  if (head.part == OfiPart::kFirst) {
    CIREIN_RETURN_IF_ERROR(TakeHead({.kind = head.kind,
                                     .status = head.status,
                                     .number = head.number,
                                     .bytes = head.bytes,
                                     .word = head.word}));
    if (head.bytes == 0) return OkStatus();
  }
  return TakeBytes(bytes, Shared::kWithNobody);
}

Status OfiConnection::Keep(const OfiMessage& message) {
  const Limits& limits = endpoint().options().limits;
  // What one side may have begun, its replies, and its answers, of which an error has some words;
  // parts are more than packets.
  const std::uint64_t bytes_max =
      3 * limits.outstanding_bytes_max + limits.outstanding_max * kAnswerBytesMin + kShownBytesMax;
  incoming_bytes_ += message.head.part_bytes;
  if (incoming_bytes_ > bytes_max ||
      incoming_.size() > 4 * limits.outstanding_max + bytes_max / ofi().inline_bytes_max()) {
    return Broken("it sends more at once than it may");
  }
  Incoming& part = incoming_.emplace_back();
  part.head = message.head;
  part.shown = message.shown;
  part.bytes.assign(message.bytes.begin(), message.bytes.end());
  if (part.head.is_shown != 0) part.state = Incoming::State::kToRead;
  return OkStatus();
}

void OfiConnection::Advance() {
  const auto self = shared_from_this();
  while (is_open() && !incoming_.empty() && incoming_.front().state == Incoming::State::kThere) {
    const Incoming part = std::move(incoming_.front());
    incoming_.pop_front();
    incoming_bytes_ -= part.head.part_bytes;
    const Status taken = TakeInOrder(part.head, part.head.is_shown != 0
                                                    ? std::span<const std::byte>(part.lease.bytes())
                                                    : std::span<const std::byte>(part.bytes));
    if (!taken.ok()) return End(taken);
  }
  for (Incoming& part : incoming_) {
    if (!is_open() || reads_ >= kReadsMax) break;
    if (part.state == Incoming::State::kToRead && !BeginRead(part)) break;
  }
}

bool OfiConnection::BeginRead(Incoming& part) {
  Result<OfiPort::Lease> lease = ofi().port().Lend(part.shown.bytes, OfiPort::LeaseUse::kFilled);
  if (!lease.ok()) {
    ofi().LookAgainSoon();
    return false;
  }
  const Result<bool> begun = ofi().port().Read(
      peer_id_, part.shown, *lease,
      [weak = std::weak_ptr(std::static_pointer_cast<OfiConnection>(shared_from_this())),
       sequence = part.head.sequence](const Status& status, OfiPort::Lease filled) {
        if (const auto self = weak.lock()) self->FinishRead(sequence, status, std::move(filled));
      });
  if (!begun.ok()) {
    Lost(begun.status());
    return false;
  }
  if (!*begun) return false;
  part.state = Incoming::State::kReading;
  ++reads_;
  return true;
}

void OfiConnection::FinishRead(std::uint64_t sequence, const Status& status, OfiPort::Lease lease) {
  --reads_;
  if (!is_open()) return;
  if (!status.ok()) return Lost(status);
  const auto found =
      std::find_if(incoming_.begin(), incoming_.end(),
                   [sequence](const Incoming& part) { return part.head.sequence == sequence; });
  if (found == incoming_.end()) return;
  found->lease = std::move(lease);
  found->state = Incoming::State::kThere;
  Advance();
}

void OfiConnection::Owe(std::uint64_t bytes) {
  const Limits& limits = endpoint().options().limits;
  owed_bytes_ += bytes;
  std::uint64_t parts = 0;
  {
    const std::lock_guard lock(mutex_);
    if (told_taken_ + 1 == last_taken_) owed_bytes_ = bytes;
    parts = last_taken_ - told_taken_;
  }
  // What was shown is held by the other side until it hears of it.
  if (parts > limits.outstanding_max / 4 || owed_bytes_ >= kShownBytesMax / 2 ||
      owed_bytes_ > limits.outstanding_bytes_max / 4) {
    ofi().AcknowledgeNow(own_token_);
  } else {
    ofi().AcknowledgeSoon();
  }
}

void OfiConnection::Acknowledge() {
  if (!is_open()) return;
  const std::lock_guard lock(mutex_);
  if (told_taken_ == last_taken_) return;
  // One who takes nothing now is told when it does: by Check, or by what is sent then.
  if (SendAck()) owed_bytes_ = 0;
}

void OfiConnection::Check() {
  if (!is_open()) return;
  const std::lock_guard lock(mutex_);
  if (told_taken_ != last_taken_ || peer_read_ != last_sent_) SendAck();
}

bool OfiConnection::SendAck() { return SendPart(MakeHead(OfiPart::kAck), {}); }

void OfiConnection::LeaveCarrier() {
  std::deque<OfiShownPart> shown;
  {
    const std::lock_guard lock(mutex_);
    shown.swap(shown_);
  }
  if (endpoint().alive() && stream_.is_open()) {
    static_cast<void>(endpoint().home().Unwatch(stream_.fd()).ok());
  }
  incoming_.clear();
  route_.reset();
  if (has_peer_.exchange(false)) ofi().Left(*this, std::move(stream_), std::move(shown));
  stream_.Close();
}

}  // namespace cirein::fabric
