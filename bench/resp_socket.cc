// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_socket.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace cirein::bench::resp {
namespace {

/// A socket's address in the system's own form.
struct SystemAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SystemAddress UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) Fail("too long for a Unix socket: " + path);
  std::copy(path.begin(), path.end(), address.sun_path);
  SystemAddress system;
  std::memcpy(&system.storage, &address, sizeof address);
  system.size = sizeof address;
  return system;
}

SystemAddress Resolve(const Address& address) {
  if (!address.unix_path.empty()) return UnixAddress(address.unix_path);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  if (getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) {
    Fail("there is no host " + address.host);
  }
  SystemAddress system;
  std::memcpy(&system.storage, found->ai_addr, found->ai_addrlen);
  system.size = found->ai_addrlen;
  freeaddrinfo(found);
  return system;
}

FileDescriptor Open(const SystemAddress& address) {
  FileDescriptor opened(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!opened.is_open()) FailBySystem("a socket cannot be had");
  return opened;
}

void Hurry(const FileDescriptor& socket) {
  // Fails on a Unix socket, which waits for nothing anyway.
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  timeval silence{};
  silence.tv_sec = kSilence.count();
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence);
}

}  // namespace

void Fail(const std::string& why) {
  fmt::print(stderr, "resp_load: {}\n", why);
  std::_Exit(1);
}

void FailBySystem(const std::string& what) {
  Fail(fmt::format("{}: {}", what, std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
}

Address ParseAddress(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  Address address;
  if (colon != std::string::npos) {
    address.host = text.substr(0, colon);
    const char* const end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data() + colon + 1, end, address.port);
    if (failure == std::errc() && stop == end && address.port != 0) return address;
  }
  Fail("this is no host:port: " + text);
}

FileDescriptor Connect(const Address& address) {
  const SystemAddress system = Resolve(address);
  FileDescriptor socket = Open(system);
  if (connect(socket.get(), system.get(), system.size) != 0) FailBySystem("cannot connect");
  Hurry(socket);
  return socket;
}

FileDescriptor Listen(Address* address) {
  SystemAddress system = Resolve(*address);
  FileDescriptor socket = Open(system);
  if (bind(socket.get(), system.get(), system.size) != 0) FailBySystem("cannot bind");
  if (listen(socket.get(), 1024) != 0) FailBySystem("cannot listen");
  if (address->unix_path.empty()) {
    if (getsockname(socket.get(), system.get(), &system.size) != 0) FailBySystem("has no name");
    sockaddr_in bound{};
    std::memcpy(&bound, &system.storage, sizeof bound);
    address->port = ntohs(bound.sin_port);
  }
  return socket;
}

void MakeNonblocking(const FileDescriptor& socket) {
  const int flags = fcntl(socket.get(), F_GETFL);
  if (flags < 0 || fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) < 0) FailBySystem("fcntl");
}

std::size_t SendSome(const FileDescriptor& socket, std::string_view bytes) {
  for (;;) {
    const ssize_t sent = send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) FailBySystem("cannot send");
  }
}

void SendAll(const FileDescriptor& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t sent = SendSome(socket, bytes);
    if (sent == 0) Fail("the server takes no more requests");
    bytes.remove_prefix(sent);
  }
}

Received Receive(const FileDescriptor& socket, std::span<char> buffer) {
  for (;;) {
    const ssize_t size = recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (size > 0) return {{buffer.data(), static_cast<std::size_t>(size)}};
    if (size == 0 || errno == ECONNRESET) return {{}, true};
    if (errno == EAGAIN) return {};
    if (errno != EINTR) FailBySystem("cannot receive");
  }
}

}  // namespace cirein::bench::resp
