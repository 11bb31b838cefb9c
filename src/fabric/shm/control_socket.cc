// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/control_socket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/text.h"
#include "fabric/auto/auto_address.h"
#include "runtime/system_error.h"

namespace cirein::fabric {
namespace {

constexpr std::string_view kScheme = "shm://";
constexpr int kBacklog = 1024;

struct SystemName {
  sockaddr_un address{};
  socklen_t bytes = 0;
  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: how sockets are called
  }
};

bool IsAbstract(const std::string& name) { return name.starts_with('@'); }

SystemName ToSystem(const std::string& name) {
  SystemName system;
  system.address.sun_family = AF_UNIX;
  std::memcpy(system.address.sun_path, name.data(), name.size());
  if (IsAbstract(name)) system.address.sun_path[0] = '\0';
  // An abstract name ends where its length says, a path with a zero.
  system.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() +
                                        (IsAbstract(name) ? 0 : 1));
  return system;
}

FileDescriptor OpenSocket() {
  return FileDescriptor(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

Status SocketError(const char* what, const std::string& name, int error) {
  const std::string message =
      fmt::format("cannot {} shm://{}: {}", what, EscapeForPeople(name), SystemErrorText(error));
  switch (error) {
    case ENOENT:
    case ECONNREFUSED:
    case EAGAIN:
    case EPROTOTYPE:
      return Unavailable(message, "check that the other process runs, and its address");
    case EADDRINUSE:
      return AlreadyExists(message, "another process has it: stop it, or choose another name");
    case EACCES:
    case EPERM:
      return PermissionDenied(message, "check the owner and mode of the path");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return ResourceExhausted(message, "raise the limit on open files (ulimit -n)");
    default:
      return IoError(message);
  }
}

// A path that an ended process has left.
void RemoveStale(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const FileDescriptor probe = OpenSocket();
  const SystemName name = ToSystem(path);
  if (connect(probe.get(), name.get(), name.bytes) == 0 || errno != ECONNREFUSED) return;
  unlink(path.c_str());
}

}  // namespace

Address ShmAddress(const std::string& name) { return std::string(kScheme) + name; }

Result<std::string> SocketNameIn(const Address& address) {
  CIREIN_ASSIGN_OR_RETURN(const Address own, AddressFor("shm", address));
  const bool has_scheme = own.starts_with(kScheme);
  const std::string name = has_scheme ? own.substr(kScheme.size()) : "";
  if (name.empty() || name == "@" || name.size() > kSocketNameBytesMax ||
      name.find('\0') != std::string::npos) {
    return InvalidArgument(
        fmt::format("{} is no address of shared memory", QuoteForPeople(address)),
        "it looks like shm://<path of a socket> or shm://@<name>, of at most 107 bytes");
  }
  return name;
}

Result<ControlSocket> ControlSocket::Connect(const std::string& name) {
  FileDescriptor fd = OpenSocket();
  if (!fd.is_open()) return SocketError("connect to", name, errno);
  const SystemName system = ToSystem(name);
  if (connect(fd.get(), system.get(), system.bytes) != 0) {
    return SocketError("connect to", name, errno);
  }
  return ControlSocket(std::move(fd));
}

ControlSocket::Sent ControlSocket::TrySend(std::span<const std::byte> message,
                                           std::span<const int> descriptors) {
  iovec part{const_cast<std::byte*>(message.data()), message.size()};  // NOLINT: it is only read
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * kDescriptorsMax)> extra{};
  if (!descriptors.empty() && descriptors.size() <= kDescriptorsMax) {
    header.msg_control = extra.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(control), descriptors.data(), descriptors.size_bytes());
  }
  const ssize_t sent = sendmsg(fd_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return Sent::kWhole;  // A message goes as a whole.
  switch (errno) {
    case EAGAIN:
      return Sent::kNoRoom;
    case ENOBUFS:
    case ENOMEM:
    case EINTR:
    case ETOOMANYREFS:
      return Sent::kNoMeans;
    default:
      return Sent::kGone;
  }
}

Status ControlSocket::Send(std::span<const std::byte> message, std::span<const int> descriptors) {
  if (TrySend(message, descriptors) == Sent::kWhole) return OkStatus();
  return Unavailable(fmt::format("the other side of a socket is gone, or reads nothing: {}",
                                 SystemErrorText(errno)));
}

ControlSocket::Received ControlSocket::Receive(std::span<std::byte> into) {
  iovec part{into.data(), into.size()};
  msghdr header{};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * kDescriptorsMax)> extra{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = extra.data();
  header.msg_controllen = extra.size();
  Received received;
  const ssize_t bytes = recvmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
  if (bytes < 0) {
    const bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    received.got = later ? Got::kNothing : Got::kEnd;
    return received;
  }
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
      received.descriptors.emplace_back(fd);
    }
  }
  received.got = bytes == 0 ? Got::kEnd : Got::kMessage;
  received.bytes = static_cast<std::size_t>(bytes);
  return received;
}

Result<PeerProcess> ControlSocket::Peer() const {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return IoError(
        fmt::format("cannot ask whose a socket's other side is: {}", SystemErrorText(errno)));
  }
  return PeerProcess{peer.uid, peer.pid};
}

Result<ControlListener> ControlListener::Listen(const std::string& name) {
  FileDescriptor fd = OpenSocket();
  if (!fd.is_open()) return SocketError("listen at", name, errno);
  if (!IsAbstract(name)) RemoveStale(name);
  const SystemName system = ToSystem(name);
  if (bind(fd.get(), system.get(), system.bytes) != 0) return SocketError("listen at", name, errno);
  // Nobody can connect before it listens, so nobody comes past the mode.
  if (!IsAbstract(name) && chmod(name.c_str(), S_IRUSR | S_IWUSR) != 0) {
    return SocketError("listen at", name, errno);
  }
  if (listen(fd.get(), kBacklog) != 0) return SocketError("listen at", name, errno);
  return ControlListener(std::move(fd), IsAbstract(name) ? "" : name);
}

ControlListener::~ControlListener() {
  if (fd_.is_open() && !path_.empty()) unlink(path_.c_str());
}

Result<FileDescriptor> ControlListener::Accept() {
  FileDescriptor fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.is_open() && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
    return SocketError("accept at", path_, errno);
  }
  return fd;
}

}  // namespace cirein::fabric
