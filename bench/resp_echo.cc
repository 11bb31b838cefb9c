// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_echo.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <map>
#include <span>
#include <unistd.h>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "bench/resp_encoder.h"

namespace cirein::bench::resp {
namespace {

std::string RepliesOf(const Workload& workload) {
  const std::string one = FixedReply(workload);
  std::string all;
  all.reserve(one.size() * workload.pipeline);
  for (std::size_t i = 0; i < workload.pipeline; ++i) all += one;
  return all;
}

std::size_t RequestBytes(const Workload& workload) {
  if (workload.operation == Operation::kMixed) Fail("mixed requests have no ceiling");
  return RequestEncoder(workload, 0).request_bytes();
}

/// Waits for what may be read.
class Readable {
 public:
  Readable() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_.is_open()) FailBySystem("epoll cannot be had");
  }
  void Add(const FileDescriptor& descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor.get();
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor.get(), &event) != 0) {
      FailBySystem("epoll_ctl");
    }
  }
  std::span<const epoll_event> Wait() {
    const int count = epoll_wait(epoll_.get(), events_.data(), kEvents, -1);
    if (count < 0 && errno != EINTR) FailBySystem("epoll_wait");
    return {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
  }

 private:
  static constexpr int kEvents = 64;
  FileDescriptor epoll_;
  std::array<epoll_event, kEvents> events_{};
};

/// One that asks.
struct Asker {
  FileDescriptor socket;
  std::size_t bytes = 0;  ///< Of a request that is not all there yet.
};

FileDescriptor Accept(const FileDescriptor& listener) {
  FileDescriptor socket(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket.is_open()) FailBySystem("accept");
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

/// True unless the other end is gone. A load may leave without reading everything.
bool SendOrNotice(const FileDescriptor& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return false;
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
  }
  return true;
}

}  // namespace

Echo::Echo(const Workload& workload, const std::string& unix_path)
    : request_bytes_(RequestBytes(workload)),
      reply_bytes_(FixedReply(workload).size()),
      replies_(RepliesOf(workload)),
      address_({unix_path}),
      listener_(Listen(&address_)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  if (!stop_.is_open()) FailBySystem("eventfd");
  thread_ = std::thread([this] { Serve(); });
}

Echo::~Echo() {
  const std::uint64_t one = 1;
  if (write(stop_.get(), &one, sizeof one) != sizeof one) FailBySystem("eventfd");
  thread_.join();
  if (!address_.unix_path.empty()) unlink(address_.unix_path.c_str());
}

void Echo::Serve() {
  Readable readable;
  readable.Add(listener_);
  readable.Add(stop_);
  std::map<int, Asker> askers;
  std::vector<char> buffer(std::size_t{256} * 1024);
  const auto answer = [&](Asker& asker) {
    const Received received = Receive(asker.socket, buffer);
    asker.bytes += received.bytes.size();
    const std::size_t requests = asker.bytes / request_bytes_;
    asker.bytes %= request_bytes_;
    const std::size_t bytes = std::min(requests * reply_bytes_, replies_.size());
    return !received.closed &&
           SendOrNotice(asker.socket, std::string_view(replies_).substr(0, bytes));
  };
  for (;;) {
    for (const epoll_event& event : readable.Wait()) {
      if (event.data.fd == stop_.get()) return;
      if (event.data.fd == listener_.get()) {
        FileDescriptor socket = Accept(listener_);
        readable.Add(socket);
        const int number = socket.get();
        askers[number] = {std::move(socket)};
      } else if (!answer(askers.at(event.data.fd))) {
        askers.erase(event.data.fd);
      }
    }
  }
}

}  // namespace cirein::bench::resp
