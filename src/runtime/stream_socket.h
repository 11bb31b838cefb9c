// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cirein/status.h"

#include "runtime/file_descriptor.h"

namespace cirein {

/// Where a stream begins or ends: a port of a host, or a path of this machine.
struct StreamAddress {
  std::string host;  ///< An address or a name; empty for a path.
  std::uint16_t port = 0;
  std::string path;  ///< Of a Unix socket; empty for TCP.

  bool is_path() const noexcept { return !path.empty(); }
  /// "127.0.0.1:6380", "[::1]:6380" or the path.
  std::string ToString() const;
};

/// "PORT" (of this machine), "HOST:PORT", "[HOST]:PORT", or the path of a socket, which has a '/'.
/// Errors: InvalidArgument.
Result<StreamAddress> ParseStreamAddress(std::string_view text);

/// What came of one attempt to receive or send.
struct StreamResult {
  enum class Code : std::uint8_t {
    kDone,        ///< `bytes` were moved, at least one.
    kWouldBlock,  ///< None now: wait for readiness.
    kEnded,       ///< The other side has gone, in order or not.
  };
  Code code = Code::kDone;
  std::size_t bytes = 0;
};

/// One end of a connection that never blocks. Owns its descriptor. Belongs to one thread.
class StreamSocket {
 public:
  StreamSocket() noexcept = default;
  /// Takes a connected socket over, and makes it non-blocking and without delay.
  explicit StreamSocket(FileDescriptor fd) noexcept;

  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return fd_.is_open(); }
  void Close() noexcept { fd_.Close(); }

  /// One system call each.
  StreamResult Receive(std::span<std::byte> into) noexcept;
  /// Into the first part, then the second.
  StreamResult Receive(std::span<std::byte> first, std::span<std::byte> second) noexcept;
  static constexpr std::size_t kMaxParts = 64;
  /// The first kMaxParts of these, or as much of them as there is room for.
  StreamResult Send(std::span<const std::span<const std::byte>> parts) noexcept;

  /// Asks a TCP peer that says nothing for `after` whether it is still there; zero: never. No
  /// matter when it cannot be done.
  void KeepAlive(std::chrono::seconds after) noexcept;

  /// What went wrong since the last call; OK if nothing did. Of one that BeginConnectStream made:
  /// how the connection came out, once it is writable.
  Status TakeError() noexcept;

  StreamAddress peer() const;
  StreamAddress local() const;

 private:
  FileDescriptor fd_;
};

/// A connection to `address`, made while the caller waits: for tests and tools. IoError when it
/// cannot be.
Result<StreamSocket> ConnectStream(const StreamAddress& address);

/// The same without waiting: when the socket is writable, its TakeError says what came of it.
/// `address` has digits for its host, or names may be asked for. IoError when it is refused at
/// once.
Result<StreamSocket> BeginConnectStream(const StreamAddress& address);

/// `address` with its host in digits. Asks for names, and may block for that. InvalidArgument for a
/// host that is not known, and for a path that is too long.
Result<StreamAddress> ResolveStreamAddress(const StreamAddress& address);

}  // namespace cirein
