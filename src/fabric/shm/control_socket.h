// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cirein/status.h"

#include "fabric/transport.h"
#include "runtime/file_descriptor.h"

namespace cirein::fabric {

inline constexpr std::size_t kSocketNameBytesMax = 107;

/// "shm://" before a socket's name.
Address ShmAddress(const std::string& name);
/// The name in "shm://<name>": the path of a Unix socket, or "@" and an abstract name.
/// InvalidArgument for another address.
Result<std::string> SocketNameIn(const Address& address);

/// Whose process is at the other end.
struct PeerProcess {
  std::uint32_t user = 0;
  std::int32_t pid = 0;
};

/// One end of a Unix socket of messages, which may carry descriptors. Never blocks, whatever the
/// other side does: that is said with each call, not by what both could change. Move-only; several
/// threads may send, if none closes it meanwhile.
class ControlSocket {
 public:
  ControlSocket() = default;
  explicit ControlSocket(FileDescriptor fd) : fd_(std::move(fd)) {}

  /// Unavailable when nobody listens there, or too many wait to be heard.
  static Result<ControlSocket> Connect(const std::string& name);

  int fd() const { return fd_.get(); }
  void Close() { fd_.Close(); }

  enum class Sent : std::uint8_t {
    kWhole,
    kNoRoom,   ///< The other side has not read what was sent before; the socket tells when it has.
    kNoMeans,  ///< The system has no memory for it, or carries too many descriptors.
    kGone,
  };
  Sent TrySend(std::span<const std::byte> message, std::span<const int> descriptors);
  /// Unavailable when not all is sent.
  Status Send(std::span<const std::byte> message, std::span<const int> descriptors);

  /// More than a message has, so that it is noticed when one has too many.
  static constexpr std::size_t kDescriptorsMax = 3;
  enum class Got : std::uint8_t { kMessage, kNothing, kEnd };
  struct Received {
    Got got = Got::kNothing;
    std::size_t bytes = 0;  ///< More than there was room for when it was cut off.
    std::vector<FileDescriptor> descriptors;
  };
  Received Receive(std::span<std::byte> into);

  Result<PeerProcess> Peer() const;

 private:
  FileDescriptor fd_;
};

/// Listens for such sockets. A path is open to its owner alone, and removed at the end; what nobody
/// listens at any more is removed before.
class ControlListener {
 public:
  /// AlreadyExists when somebody listens there, PermissionDenied, IoError.
  static Result<ControlListener> Listen(const std::string& name);
  ControlListener(ControlListener&& other) = default;
  ControlListener& operator=(ControlListener&&) = delete;
  ~ControlListener();

  int fd() const { return fd_.get(); }
  /// As if the process had been killed: its path stays.
  void Abandon() { path_.clear(); }
  /// Not open: nobody is there. ResourceExhausted when there is no descriptor left.
  Result<FileDescriptor> Accept();

 private:
  ControlListener(FileDescriptor fd, std::string path)
      : fd_(std::move(fd)), path_(std::move(path)) {}

  FileDescriptor fd_;
  std::string path_;  // Empty: none to be removed.
};

}  // namespace cirein::fabric
