// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/control_stream.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "fabric/ofi/ofi_messages.h"

namespace cirein::fabric {
namespace {

std::optional<std::size_t> SizeOf(HandshakeKind kind) {
  switch (kind) {
    case HandshakeKind::kHello:
      return sizeof(HelloMessage);
    case HandshakeKind::kChallenge:
      return sizeof(ChallengeMessage);
    case HandshakeKind::kProof:
      return sizeof(ProofMessage);
    case HandshakeKind::kWelcome:
      return sizeof(OfiCardMessage);
    case HandshakeKind::kRefusal:
      return sizeof(RefusalMessage);
  }
  return std::nullopt;
}
static_assert(sizeof(OfiCardMessage) <= kHandshakeBytesMax);

}  // namespace

void ControlStream::NoticeDeath(std::chrono::seconds keepalive) {
  socket_.KeepAlive(keepalive);
  // Nobody is asked whether it is there as long as something it was sent is not acknowledged, such
  // as the last word of a handshake: that is sent again, for many minutes. This is when the last of
  // the questions would have been answered too late.
  const std::int64_t seconds =
      keepalive.count() + 3 * std::max<std::int64_t>(keepalive.count() / 3, 1);
  const auto ms = static_cast<unsigned>(std::clamp<std::int64_t>(seconds, 1, 1 << 20) * 1000);
  static_cast<void>(setsockopt(socket_.fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms));
}

void ControlStream::HalfClose() {
  if (socket_.is_open()) shutdown(socket_.fd(), SHUT_WR);
}

Status ControlStream::Send(std::span<const std::byte> message) {
  const StreamResult sent = socket_.Send({&message, 1});
  if (sent.code == StreamResult::Code::kDone && sent.bytes == message.size()) return OkStatus();
  return Unavailable("the other side of a handshake has gone, or reads nothing");
}

Result<ControlStream::Received> ControlStream::Receive() {
  std::size_t wanted = sizeof(HandshakeHead);
  for (;;) {
    if (received_ >= sizeof(HandshakeHead)) {
      HandshakeHead head;
      std::memcpy(&head, bytes_.data(), sizeof head);
      const auto size = SizeOf(head.kind);
      if (head.magic != kHandshakeMagic || !size) {
        return InvalidArgument("the other side speaks another protocol");
      }
      wanted = *size;
      if (received_ == wanted) {
        received_ = 0;
        return Received{Got::kMessage, std::span(bytes_).first(wanted)};
      }
    }
    const StreamResult got =
        socket_.Receive(std::span(bytes_).subspan(received_, wanted - received_));
    if (got.code == StreamResult::Code::kWouldBlock) return Received{};
    if (got.code == StreamResult::Code::kEnded) return Received{Got::kEnd, {}};
    received_ += got.bytes;
  }
}

}  // namespace cirein::fabric
