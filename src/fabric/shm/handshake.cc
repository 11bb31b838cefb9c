// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/handshake.h"

#include <array>
#include <cstring>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace cirein::fabric {

Result<std::unique_ptr<ConnectionAttempt>> Handshake::Connect(Reactor& home,
                                                              const HandshakeTerms& terms,
                                                              const Address& to, Entropy& entropy,
                                                              Ended ended) {
  CIREIN_ASSIGN_OR_RETURN(const std::string name, SocketNameIn(to));
  CIREIN_ASSIGN_OR_RETURN(ControlSocket socket, ControlSocket::Connect(name));
  std::unique_ptr<Handshake> made(new Handshake(
      home, terms, std::move(socket), {terms.introduction, entropy, to}, std::move(ended)));
  made->awaits_ = Awaits::kChallenge;
  made->agreement_.side = 0;
  made->agreement_.peer = to;
  CIREIN_RETURN_IF_ERROR(made->Begin());
  CIREIN_RETURN_IF_ERROR(made->socket_.Send(BytesOf(made->introduction_.hello()), {}));
  return std::unique_ptr<ConnectionAttempt>(std::move(made));
}

Result<std::unique_ptr<ConnectionAttempt>> Handshake::Accept(Reactor& home,
                                                             const HandshakeTerms& terms,
                                                             FileDescriptor fd, Entropy& entropy,
                                                             Admit admit, Ended ended) {
  std::unique_ptr<Handshake> made(new Handshake(home, terms, ControlSocket(std::move(fd)),
                                                {terms.introduction, entropy, Address()},
                                                std::move(ended)));
  made->admit_ = std::move(admit);
  made->agreement_.side = 1;
  CIREIN_RETURN_IF_ERROR(made->Begin());
  return std::unique_ptr<ConnectionAttempt>(std::move(made));
}

Handshake::~Handshake() {
  if (watched_) static_cast<void>(home_.Unwatch(socket_.fd()).ok());
}

Status Handshake::Begin() {
  CIREIN_ASSIGN_OR_RETURN(agreement_.process, socket_.Peer());
  // Before a word is said: strangers are not even to take the place of a guest.
  CIREIN_RETURN_IF_ERROR(CheckUser());
  CIREIN_RETURN_IF_ERROR(home_.Watch(socket_.fd(), FdInterest::kReadable, *this));
  watched_ = true;
  return OkStatus();
}

Status Handshake::CheckUser() const {
  if (!terms_.introduction.secret.empty() || agreement_.process.user == geteuid())
    return OkStatus();
  return PermissionDenied(
      fmt::format("the other side runs as user {}, and there is no cluster secret",
                  agreement_.process.user),
      "give both sides a cluster secret, or run them as the same user");
}

void Handshake::OnReady(FdReadiness /*readiness*/) {
  std::array<std::byte, kHandshakeBytesMax> bytes{};
  ControlSocket::Received received = socket_.Receive(bytes);
  if (received.got == ControlSocket::Got::kNothing) return;
  if (received.got == ControlSocket::Got::kEnd) {
    return End(Unavailable("the other side ended the socket before there was a connection"));
  }
  if (received.bytes > bytes.size())
    return End(Unavailable("a message of a handshake is too long"));
  const Result<bool> over =
      Take(std::span(bytes).first(received.bytes), std::move(received.descriptors));
  if (!over.ok()) {
    // Who does not even speak the protocol needs no answer that says more.
    if (agreement_.side == 1) {
      static_cast<void>(socket_.Send(BytesOf(MakeRefusal(over.status())), {}).ok());
    }
    return End(over.status());
  }
  if (*over) End(std::move(agreement_));
}

void Handshake::End(Result<Agreement> result) {
  if (watched_) {
    // The socket may have moved into the agreement by now.
    const int fd = result.ok() ? result->socket.fd() : socket_.fd();
    static_cast<void>(home_.Unwatch(fd).ok());
    watched_ = false;
  }
  socket_.Close();
  const Ended ended = std::move(ended_);
  ended(std::move(result));
}

Result<bool> Handshake::Take(std::span<const std::byte> message,
                             std::vector<FileDescriptor> descriptors) {
  if (agreement_.side == 0) {
    const Result<RefusalMessage> refusal = ReadHandshake<RefusalMessage>(message);
    if (refusal.ok()) return RefusalStatus(*refusal, agreement_.peer);
  }
  if (!descriptors.empty() && awaits_ != Awaits::kWelcome) {
    return InvalidArgument("descriptors came with a message of a handshake that has none");
  }
  switch (awaits_) {
    case Awaits::kHello:
      CIREIN_RETURN_IF_ERROR(TakeHello(message));
      return false;
    case Awaits::kChallenge:
      CIREIN_RETURN_IF_ERROR(TakeChallenge(message));
      return false;
    case Awaits::kProof:
      CIREIN_RETURN_IF_ERROR(TakeProof(message));
      break;
    case Awaits::kWelcome:
      CIREIN_RETURN_IF_ERROR(TakeWelcome(message, std::move(descriptors)));
      break;
  }
  agreement_.socket = std::move(socket_);
  return true;
}

Status Handshake::TakeHello(std::span<const std::byte> message) {
  CIREIN_ASSIGN_OR_RETURN(const ChallengeMessage challenge, introduction_.TakeHello(message));
  agreement_.peer = introduction_.peer();
  CIREIN_RETURN_IF_ERROR(SocketNameIn(agreement_.peer).status());
  awaits_ = Awaits::kProof;
  return socket_.Send(BytesOf(challenge), {});
}

Status Handshake::TakeChallenge(std::span<const std::byte> message) {
  CIREIN_ASSIGN_OR_RETURN(const ProofMessage proof, introduction_.TakeChallenge(message));
  awaits_ = Awaits::kWelcome;
  return socket_.Send(BytesOf(proof), {});
}

Status Handshake::TakeProof(std::span<const std::byte> message) {
  CIREIN_RETURN_IF_ERROR(introduction_.TakeProof(message));
  CIREIN_RETURN_IF_ERROR(admit_());
  CIREIN_ASSIGN_OR_RETURN(agreement_.segment, Segment::Create(terms_.ring_bytes));
  WelcomeMessage welcome;
  welcome.ring_bytes = terms_.ring_bytes;
  const int file = agreement_.segment->fd();
  CIREIN_RETURN_IF_ERROR(socket_.Send(BytesOf(welcome), {&file, 1}));
  agreement_.segment->ForgetFile();
  return OkStatus();
}

Status Handshake::TakeWelcome(std::span<const std::byte> message,
                              std::vector<FileDescriptor> descriptors) {
  CIREIN_ASSIGN_OR_RETURN(const WelcomeMessage welcome, ReadHandshake<WelcomeMessage>(message));
  if (descriptors.size() != 1) {
    return ResourceExhausted(fmt::format("{} descriptors came instead of one", descriptors.size()),
                             "raise the limit on open files (ulimit -n)");
  }
  CIREIN_ASSIGN_OR_RETURN(agreement_.segment, Segment::Open(descriptors[0], welcome.ring_bytes));
  return OkStatus();
}

}  // namespace cirein::fabric
