// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "cirein/status.h"

#include "fabric/packet/handshake_messages.h"
#include "runtime/stream_socket.h"

namespace cirein::fabric {

/// The messages of a handshake over a stream, and then nothing but its end. Never blocks.
/// Move-only; belongs to one thread.
class ControlStream {
 public:
  ControlStream() = default;
  explicit ControlStream(StreamSocket socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.fd(); }
  bool is_open() const { return socket_.is_open(); }
  StreamSocket& socket() { return socket_; }
  void Close() { socket_.Close(); }
  /// From now on a peer that cannot be reached for about so long ends it. No matter when it cannot
  /// be done.
  void NoticeDeath(std::chrono::seconds keepalive);
  /// The other side sees the end; this one waits for the other's.
  void HalfClose();

  /// Unavailable when the other side has gone or reads nothing: a handshake fits into what a socket
  /// takes at once.
  Status Send(std::span<const std::byte> message);

  enum class Got : std::uint8_t { kMessage, kNothing, kEnd };
  struct Received {
    Got got = Got::kNothing;
    std::span<const std::byte> message;  ///< Until the next call.
  };
  /// A whole message of the length that its kind has. InvalidArgument for anything else: nothing
  /// more can be received then.
  Result<Received> Receive();

 private:
  StreamSocket socket_;
  std::array<std::byte, kHandshakeBytesMax> bytes_{};
  std::size_t received_ = 0;
};

}  // namespace cirein::fabric
