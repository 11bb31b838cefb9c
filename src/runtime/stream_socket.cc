// SPDX-License-Identifier: Apache-2.0
#include "runtime/stream_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <netdb.h>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "base/text.h"
#include "runtime/socket_address.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

void SetOption(int fd, int level, int option, int value) noexcept {
  static_cast<void>(setsockopt(fd, level, option, &value, sizeof value));
}

StreamResult Moved(ssize_t count) noexcept {
  if (count > 0)
    return {.code = StreamResult::Code::kDone, .bytes = static_cast<std::size_t>(count)};
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    return {.code = StreamResult::Code::kWouldBlock, .bytes = 0};
  }
  return {.code = StreamResult::Code::kEnded, .bytes = 0};
}

Result<internal::SystemAddress> PathToSystem(const std::string& path) {
  internal::SystemAddress result;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path || path.find('\0') != std::string::npos) {
    return InvalidArgument(
        fmt::format("{} cannot be the path of a socket", QuoteForPeople(path)),
        fmt::format("use at most {} bytes, none of them zero", sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  std::memcpy(&result.storage, &address, sizeof address);
  result.size = static_cast<socklen_t>(sizeof address);
  return result;
}

}  // namespace

std::string StreamAddress::ToString() const {
  if (is_path()) return path;
  const bool is_v6 = host.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

namespace internal {

Result<SystemAddress> ToSystem(const StreamAddress& address) {
  if (address.is_path()) return PathToSystem(address.path);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const int error = getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
  if (error != 0 || found == nullptr) {
    return InvalidArgument(fmt::format("no address is known for host {}: {}",
                                       QuoteForPeople(address.host), gai_strerror(error)),
                           "give an address such as 127.0.0.1 or ::1");
  }
  SystemAddress result;
  std::memcpy(&result.storage, found->ai_addr, found->ai_addrlen);
  result.size = found->ai_addrlen;
  freeaddrinfo(found);
  return result;
}

StreamAddress FromSystem(const SystemAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return {.host = text.data(), .port = ntohs(v4.sin_port), .path = {}};
  }
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return {.host = text.data(), .port = ntohs(v6.sin6_port), .path = {}};
  }
  sockaddr_un local{};
  std::memcpy(&local, &address.storage, sizeof local);
  local.sun_path[sizeof local.sun_path - 1] = '\0';
  return {.host = {}, .port = 0, .path = local.sun_path};
}

bool IsLoopback(const SystemAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof v4);
    return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
  }
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof v6);
    return std::memcmp(&v6.sin6_addr, &in6addr_loopback, sizeof in6addr_loopback) == 0;
  }
  return address.storage.ss_family == AF_UNIX;
}

}  // namespace internal

StreamSocket::StreamSocket(FileDescriptor fd) noexcept : fd_(std::move(fd)) {
  const int flags = fcntl(fd_.get(), F_GETFL);
  if (flags >= 0) fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK);
  // Of a Unix socket this fails, which has no delay anyway.
  SetOption(fd_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
}

StreamResult StreamSocket::Receive(std::span<std::byte> into) noexcept {
  return Moved(recv(fd_.get(), into.data(), into.size(), 0));
}

StreamResult StreamSocket::Receive(std::span<std::byte> first,
                                   std::span<std::byte> second) noexcept {
  std::array<iovec, 2> parts = {iovec{first.data(), first.size()},
                                iovec{second.data(), second.size()}};
  return Moved(readv(fd_.get(), parts.data(), static_cast<int>(parts.size())));
}

StreamResult StreamSocket::Send(std::span<const std::span<const std::byte>> parts) noexcept {
  if (parts.size() == 1) {
    return Moved(send(fd_.get(), parts[0].data(), parts[0].size(), MSG_NOSIGNAL));
  }
  std::array<iovec, kMaxParts> vectors;
  const std::size_t count = std::min(parts.size(), kMaxParts);
  for (std::size_t i = 0; i < count; ++i) {
    // It is not written to.
    vectors[i] = {const_cast<std::byte*>(parts[i].data()), parts[i].size()};
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  return Moved(sendmsg(fd_.get(), &message, MSG_NOSIGNAL));
}

void StreamSocket::KeepAlive(std::chrono::seconds after) noexcept {
  const auto seconds = static_cast<int>(std::clamp<std::int64_t>(after.count(), 0, 1 << 20));
  SetOption(fd_.get(), SOL_SOCKET, SO_KEEPALIVE, seconds != 0);
  if (seconds == 0) return;
  SetOption(fd_.get(), IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  SetOption(fd_.get(), IPPROTO_TCP, TCP_KEEPINTVL, std::max(seconds / 3, 1));
  SetOption(fd_.get(), IPPROTO_TCP, TCP_KEEPCNT, 3);
}

Status StreamSocket::TakeError() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? OkStatus() : IoError(SystemErrorText(error));
}

StreamAddress StreamSocket::peer() const {
  internal::SystemAddress address;
  address.size = sizeof address.storage;
  if (getpeername(fd_.get(), address.get(), &address.size) != 0) return {};
  return internal::FromSystem(address);
}

StreamAddress StreamSocket::local() const {
  internal::SystemAddress address;
  address.size = sizeof address.storage;
  if (getsockname(fd_.get(), address.get(), &address.size) != 0) return {};
  return internal::FromSystem(address);
}

namespace {

Result<StreamSocket> Connect(const StreamAddress& address, int flags) {
  CIREIN_ASSIGN_OR_RETURN(const internal::SystemAddress to, internal::ToSystem(address));
  FileDescriptor fd(socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd.is_open() || (connect(fd.get(), to.get(), to.size) != 0 && errno != EINPROGRESS)) {
    return IoError(
        fmt::format("cannot connect to {}: {}", address.ToString(), SystemErrorText(errno)),
        "is the server running there?");
  }
  return StreamSocket(std::move(fd));
}

}  // namespace

Result<StreamSocket> ConnectStream(const StreamAddress& address) { return Connect(address, 0); }

Result<StreamSocket> BeginConnectStream(const StreamAddress& address) {
  return Connect(address, SOCK_NONBLOCK);
}

Result<StreamAddress> ResolveStreamAddress(const StreamAddress& address) {
  CIREIN_ASSIGN_OR_RETURN(const internal::SystemAddress found, internal::ToSystem(address));
  return address.is_path() ? address : internal::FromSystem(found);
}

Result<StreamAddress> ParseStreamAddress(std::string_view text) {
  if (text.find('/') != std::string_view::npos) {
    return StreamAddress{.host = {}, .port = 0, .path = std::string(text)};
  }
  const std::size_t colon = text.rfind(':');
  std::string_view host = colon == std::string_view::npos ? "127.0.0.1" : text.substr(0, colon);
  const std::string_view digits = text.substr(colon == std::string_view::npos ? 0 : colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = ParseUint64(digits);
  if (!port.ok() || *port == 0 || *port > std::numeric_limits<std::uint16_t>::max() ||
      host.empty()) {
    return InvalidArgument(fmt::format("{} is no address", QuoteForPeople(text)),
                           "give HOST:PORT, such as 127.0.0.1:8080, or a port of this machine");
  }
  return StreamAddress{
      .host = std::string(host), .port = static_cast<std::uint16_t>(*port), .path = {}};
}

}  // namespace cirein
