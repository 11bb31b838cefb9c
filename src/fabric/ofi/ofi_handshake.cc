// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_handshake.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein::fabric {
namespace {

std::string TextOf(const ProviderName& name) {
  const std::string_view all(name.data(), name.size());
  return EscapeForPeople(all.substr(0, all.find('\0')), name.size());
}

}  // namespace

OfiHandshake::OfiHandshake(const Side& side, const Address& to, StreamSocket socket, Ended ended)
    : side_(side),
      asks_(!to.empty()),
      stream_(std::move(socket)),
      ended_(std::move(ended)),
      awaits_(asks_ ? Awaits::kConnected : Awaits::kHello),
      card_(side.make_card()),
      introduction_(side.terms, side.entropy, to) {}

Result<std::unique_ptr<ConnectionAttempt>> OfiHandshake::Ask(const Side& side, const Address& to,
                                                             StreamSocket socket, Ended ended) {
  std::unique_ptr<OfiHandshake> made(
      new OfiHandshake(side, to, std::move(socket), std::move(ended)));
  CIREIN_RETURN_IF_ERROR(made->Watch(FdInterest::kWritable));
  return std::unique_ptr<ConnectionAttempt>(std::move(made));
}

Result<std::unique_ptr<ConnectionAttempt>> OfiHandshake::Hear(const Side& side, StreamSocket socket,
                                                              Admit admit, Ended ended) {
  std::unique_ptr<OfiHandshake> made(
      new OfiHandshake(side, Address(), std::move(socket), std::move(ended)));
  made->admit_ = std::move(admit);
  CIREIN_RETURN_IF_ERROR(made->Watch(FdInterest::kReadable));
  return std::unique_ptr<ConnectionAttempt>(std::move(made));
}

OfiHandshake::~OfiHandshake() {
  if (watched_) static_cast<void>(side_.home.Unwatch(stream_.fd()).ok());
}

Status OfiHandshake::Watch(FdInterest interest) {
  CIREIN_RETURN_IF_ERROR(side_.home.Watch(stream_.fd(), interest, *this));
  watched_ = true;
  return OkStatus();
}

void OfiHandshake::OnReady(FdReadiness /*readiness*/) {
  if (awaits_ == Awaits::kConnected) {
    const Status connected = OnConnected();
    if (!connected.ok()) End(connected);
    return;
  }
  for (;;) {
    const Result<ControlStream::Received> received = stream_.Receive();
    if (!received.ok()) return End(received.status());
    if (received->got == ControlStream::Got::kNothing) return;
    if (received->got == ControlStream::Got::kEnd) {
      return End(Unavailable("the other side ended the socket before there was a connection"));
    }
    const Result<bool> over = Take(received->message);
    if (!over.ok()) {
      if (!asks_) static_cast<void>(stream_.Send(BytesOf(MakeRefusal(over.status()))).ok());
      return End(over.status());
    }
    if (*over) return End(std::move(agreement_));
  }
}

Status OfiHandshake::OnConnected() {
  const Status connected = stream_.socket().TakeError();
  if (!connected.ok()) {
    return Unavailable(
        fmt::format("nobody listens at {}: {}", introduction_.peer(), connected.message()));
  }
  CIREIN_RETURN_IF_ERROR(side_.home.SetInterest(stream_.fd(), FdInterest::kReadable));
  awaits_ = Awaits::kChallenge;
  return stream_.Send(BytesOf(introduction_.hello()));
}

void OfiHandshake::End(Result<OfiAgreement> result) {
  if (watched_) {
    // The socket may have moved into the agreement by now.
    const int fd = result.ok() ? result->stream.fd() : stream_.fd();
    static_cast<void>(side_.home.Unwatch(fd).ok());
    watched_ = false;
  }
  stream_.Close();
  const Ended ended = std::move(ended_);
  ended(std::move(result));
}

Result<bool> OfiHandshake::Take(std::span<const std::byte> message) {
  if (asks_) {
    const Result<RefusalMessage> refusal = ReadHandshake<RefusalMessage>(message);
    if (refusal.ok()) return RefusalStatus(*refusal, introduction_.peer());
  }
  switch (awaits_) {
    case Awaits::kHello: {
      CIREIN_ASSIGN_OR_RETURN(const ChallengeMessage challenge, introduction_.TakeHello(message));
      awaits_ = Awaits::kProof;
      CIREIN_RETURN_IF_ERROR(stream_.Send(BytesOf(challenge)));
      return false;
    }
    case Awaits::kChallenge: {
      CIREIN_ASSIGN_OR_RETURN(const ProofMessage proof, introduction_.TakeChallenge(message));
      awaits_ = Awaits::kCard;
      CIREIN_RETURN_IF_ERROR(stream_.Send(BytesOf(proof)));
      CIREIN_RETURN_IF_ERROR(stream_.Send(BytesOf(card_.message)));
      return false;
    }
    case Awaits::kProof:
      CIREIN_RETURN_IF_ERROR(introduction_.TakeProof(message));
      CIREIN_RETURN_IF_ERROR(admit_());
      awaits_ = Awaits::kCard;
      return false;
    case Awaits::kCard:
      CIREIN_RETURN_IF_ERROR(TakeCard(message));
      // The other side may speak as soon as it has this: it has been told where to by then.
      if (!asks_) CIREIN_RETURN_IF_ERROR(stream_.Send(BytesOf(card_.message)));
      break;
    case Awaits::kConnected:
      return InvalidArgument("a message before there was a socket");
  }
  agreement_.stream = std::move(stream_);
  agreement_.peer = introduction_.peer();
  agreement_.own_token = card_.message.token;
  agreement_.route = std::move(card_.route);
  return true;
}

Status OfiHandshake::TakeCard(std::span<const std::byte> message) {
  CIREIN_ASSIGN_OR_RETURN(const OfiCardMessage card, ReadHandshake<OfiCardMessage>(message));
  if (card.provider != card_.message.provider ||
      card.message_bytes_max != card_.message.message_bytes_max) {
    return InvalidArgument(
        fmt::format("the two sides use other providers of libfabric: {} with {} bytes, here {} "
                    "with {}",
                    TextOf(card.provider), card.message_bytes_max, TextOf(card_.message.provider),
                    card_.message.message_bytes_max),
        "choose the same provider on both sides");
  }
  if (card.name_bytes == 0 || card.name_bytes > card.name.size()) {
    return InvalidArgument("the name of the other side's port cannot be");
  }
  const auto name = std::as_bytes(std::span(card.name)).first(card.name_bytes);
  agreement_.peer_name.assign(name.begin(), name.end());
  agreement_.peer_token = card.token;
  return OkStatus();
}

}  // namespace cirein::fabric
