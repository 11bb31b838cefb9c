// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_endpoint.h"

#include <algorithm>
#include <array>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "base/logging.h"
#include "fabric/auto/auto_address.h"

namespace cirein::fabric {
namespace {

constexpr std::string_view kScheme = "ofi://";
// How long the other side may not know what was read, when it need not know at once.
constexpr std::chrono::milliseconds kAcknowledgeAfter{1};
constexpr std::chrono::milliseconds kLookAgainAfter{1};

}  // namespace

Address OfiAddress(const StreamAddress& at) { return std::string(kScheme) + at.ToString(); }

Result<StreamAddress> StreamAddressIn(const Address& address) {
  CIREIN_ASSIGN_OR_RETURN(const Address own, AddressFor("ofi", address));
  if (!own.starts_with(kScheme)) {
    return InvalidArgument(fmt::format("'{}' is no address of this fabric", address),
                           "give ofi://HOST:PORT");
  }
  CIREIN_ASSIGN_OR_RETURN(StreamAddress at,
                          ParseStreamAddress(std::string_view(own).substr(kScheme.size())));
  // A name would have to be asked of others, which takes any time.
  std::array<std::byte, sizeof(in6_addr)> digits;
  const bool is_digits = inet_pton(AF_INET, at.host.c_str(), digits.data()) == 1 ||
                         inet_pton(AF_INET6, at.host.c_str(), digits.data()) == 1;
  if (!is_digits) {
    return InvalidArgument(fmt::format("'{}' has no host in digits", address),
                           "give ofi://ADDRESS:PORT, such as ofi://127.0.0.1:7000");
  }
  return at;
}

OfiEndpoint::OfiEndpoint(Reactor& home, OfiOptions options,
                         std::unique_ptr<StreamListener> listener, std::unique_ptr<OfiPort> port)
    : PacketEndpoint(home, {.limits = options.limits,
                            .default_deadline = options.default_deadline,
                            .handshake_max = options.handshake_max}),
      options_(std::move(options)),
      terms_{.address = OfiAddress(listener->address()),
             .secret = options_.secret,
             .limits = options_.limits},
      listener_(std::move(listener)),
      port_(std::move(port)) {}

OfiEndpoint::~OfiEndpoint() = default;

Status OfiEndpoint::StartPort() {
  check_timer_ = RunIn(std::chrono::nanoseconds(options_.keepalive) / 2, &OfiEndpoint::CheckAll);
  if (port_->wait_fd() < 0) {
    LogWarn("fabric", "{}: the provider {} has nothing to wait for: a core is kept busy", address(),
            port_->provider());
    return OkStatus();
  }
  // The poller takes what has come; the descriptor is readable until it is looked at so.
  return home().Watch(port_->wait_fd(), FdInterest::kReadable,
                      [this](FdReadiness) { port_->PrepareToBlock(); });
}

TimerService::TimerId OfiEndpoint::RunIn(std::chrono::nanoseconds time,
                                         void (OfiEndpoint::*work)()) {
  return home().RunAt(home().clock().Now() + time, [weak = weak_from_this(), work] {
    const auto self = std::static_pointer_cast<OfiEndpoint>(weak.lock());
    if (self != nullptr && self->port_ != nullptr) (self.get()->*work)();
  });
}

// --- Who comes, and who is asked ---

Status OfiEndpoint::CheckAddress(const Address& address) const {
  return StreamAddressIn(address).status();
}

Status OfiEndpoint::OpenListener() {
  return listener_ == nullptr ? Unavailable("this process's transport has ended")
                              : listener_->Open();
}

void OfiEndpoint::StartListener() {
  if (listener_ == nullptr) return;
  const auto accepted = [this](StreamSocket socket) {
    Welcome([this, &socket](Ended ended) {
      return OfiHandshake::Hear(
          MakeSide(), std::move(socket), [this] { return CheckRoom(); },
          [this, ended = std::move(ended)](Result<OfiAgreement> result) {
            Finish(ended, std::move(result));
          });
    });
  };
  const Status started =
      listener_->Start(home(), accepted, /*has_room=*/[this] { return has_guest_room(); });
  if (!started.ok()) {
    LogError("fabric", "{} cannot be listened on: {}", address(), started.ToString());
  }
}

void OfiEndpoint::CloseListener(Leaves /*leaves*/) { listener_.reset(); }

Result<std::unique_ptr<ConnectionAttempt>> OfiEndpoint::Ask(const Address& address, Ended ended) {
  CIREIN_ASSIGN_OR_RETURN(const StreamAddress at, StreamAddressIn(address));
  Result<StreamSocket> socket = BeginConnectStream(at);
  if (!socket.ok()) return Unavailable(std::string(socket.status().message()));
  return OfiHandshake::Ask(MakeSide(), address, std::move(*socket),
                           [this, ended = std::move(ended)](Result<OfiAgreement> result) {
                             Finish(ended, std::move(result));
                           });
}

OfiHandshake::Side OfiEndpoint::MakeSide() {
  return {.home = home(), .terms = terms_, .entropy = entropy(), .make_card = [this] {
            return MakeCard();
          }};
}

OfiCard OfiEndpoint::MakeCard() {
  OfiCard card;
  card.message.token = entropy().Seed();
  card.message.message_bytes_max = port_->eager_bytes_max();
  const std::span<const std::byte> name = port_->name();
  card.message.name_bytes = name.size();
  std::transform(name.begin(), name.end(), card.message.name.begin(),
                 [](std::byte byte) { return static_cast<std::uint8_t>(byte); });
  port_->provider().copy(card.message.provider.data(), card.message.provider.size());
  routes_[card.message.token] = {};
  card.route = std::shared_ptr<void>(
      nullptr, [this, token = card.message.token](void*) { routes_.erase(token); });
  return card;
}

void OfiEndpoint::Finish(const Ended& ended, Result<OfiAgreement> result) {
  if (!result.ok()) return ended(result.status());
  const auto agreement = std::make_shared<OfiAgreement>(std::move(*result));
  ended(Agreed([this, agreement](Service& service) {
    return std::make_shared<OfiConnection>(
        std::static_pointer_cast<OfiEndpoint>(shared_from_this()), std::move(*agreement), service);
  }));
}

void OfiEndpoint::Opened(OfiConnection& connection) {
  Route& route = routes_[connection.token()];
  route.connection = &connection;
  tokens_[connection.peer_id()] = connection.token();
  if (route.early.empty()) return;
  // When it has been told to its user.
  Submit([this, token = connection.token()] {
    const auto found = routes_.find(token);
    if (found == routes_.end()) return;
    for (const std::vector<std::byte>& message : std::exchange(found->second.early, {})) {
      Received(message);
    }
  });
}

// --- The rounds ---

bool OfiEndpoint::PollShared() {
  // What is called may end the transport.
  const std::shared_ptr<OfiPort> port = port_;
  if (port == nullptr) return false;
  const bool did_something = port->Poll(*this);
  if (did_something) ++progress_;
  for (const std::uint64_t token : std::exchange(acknowledge_, {})) {
    const auto found = routes_.find(token);
    if (found != routes_.end() && found->second.connection != nullptr) {
      found->second.connection->Acknowledge();
    }
  }
  return did_something;
}

void OfiEndpoint::Received(std::span<const std::byte> message) {
  // What nobody here has agreed on is not even worth an answer.
  const Result<OfiMessage> read = ReadOfiMessage(message);
  if (!read.ok()) return;
  const auto found = routes_.find(read->head.token);
  if (found == routes_.end()) return;
  Route& route = found->second;
  if (route.connection != nullptr && route.early.empty()) return route.connection->Take(*read);
  // The other side may say as much before this one has its card. More is missed, which is noticed.
  if (route.early.size() <= 2 * options_.limits.outstanding_max) {
    route.early.emplace_back(message.begin(), message.end());
  }
}

void OfiEndpoint::SendFailed(OfiPort::PeerId peer, const Status& why) {
  const auto token = tokens_.find(peer);
  if (token == tokens_.end()) return;
  const auto found = routes_.find(token->second);
  if (found != routes_.end() && found->second.connection != nullptr) {
    found->second.connection->Lost(why);
  }
}

void OfiEndpoint::LookAgainSoon() {
  if (look_timer_ == 0) {
    look_timer_ = home().RunAt(home().clock().Now() + kLookAgainAfter, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self != nullptr) {
        static_cast<OfiEndpoint&>(*self).look_timer_ = 0;
      }
    });
  }
}

void OfiEndpoint::AcknowledgeSoon() {
  if (acknowledge_timer_ == 0) {
    acknowledge_timer_ = RunIn(kAcknowledgeAfter, &OfiEndpoint::AcknowledgeAll);
  }
}

void OfiEndpoint::AcknowledgeAll() {
  acknowledge_timer_ = 0;
  ForEachConnection([](PacketConnection& one) { static_cast<OfiConnection&>(one).Acknowledge(); });
}

void OfiEndpoint::CheckAll() {
  // What was lost is noticed by the number of what comes next, and something must.
  check_timer_ = RunIn(std::chrono::nanoseconds(options_.keepalive) / 2, &OfiEndpoint::CheckAll);
  ForEachConnection([](PacketConnection& one) { static_cast<OfiConnection&>(one).Check(); });
}

// --- The end ---

void OfiEndpoint::Left(const OfiConnection& connection, ControlStream stream,
                       std::deque<OfiShownPart> shown) {
  tokens_.erase(connection.peer_id());
  if (port_ != nullptr) port_->RemovePeer(connection.peer_id());
  if (shown.empty() || port_ == nullptr || !stream.is_open()) {
    for (const OfiShownPart& part : shown) NotShown(part.lease.bytes().size());
    return;
  }
  stream.HalfClose();
  const auto departure = departures_.insert(departures_.end(), Departure{});
  departure->stream = std::move(stream);
  departure->shown = std::move(shown);
  const Status watched =
      home().Watch(departure->stream.fd(), FdInterest::kReadable, [this, departure](FdReadiness) {
        const auto received = departure->stream.Receive();
        if (received.ok() && received->got != ControlStream::Got::kEnd) return;
        EndDeparture(departure);
      });
  // The kernel says so too when the other side cannot be reached.
  if (!watched.ok()) EndDeparture(departure);
}

void OfiEndpoint::EndDeparture(std::list<Departure>::iterator departure) {
  static_cast<void>(home().Unwatch(departure->stream.fd()).ok());
  for (const OfiShownPart& part : departure->shown) NotShown(part.lease.bytes().size());
  departures_.erase(departure);
}

void OfiEndpoint::LeaveShared() {
  for (const TimerService::TimerId timer : {acknowledge_timer_, look_timer_, check_timer_}) {
    CancelTimer(timer);
  }
  while (!departures_.empty()) EndDeparture(departures_.begin());
  if (port_ != nullptr && port_->wait_fd() >= 0) {
    static_cast<void>(home().Unwatch(port_->wait_fd()).ok());
  }
  port_.reset();
}

}  // namespace cirein::fabric
