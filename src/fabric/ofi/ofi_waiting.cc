// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_waiting.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "runtime/real_clock.h"
#include "runtime/system_error.h"

namespace cirein::fabric {
namespace {

bool Add(const FileDescriptor& poll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  return epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Result<OfiWaiting> OfiWaiting::Open(int queue_fd) {
  OfiWaiting waiting;
  if (queue_fd < 0) return waiting;
  waiting.poll_ = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
  waiting.timer_ = FileDescriptor(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!waiting.poll_.is_open() || !waiting.timer_.is_open() || !Add(waiting.poll_, queue_fd) ||
      !Add(waiting.poll_, waiting.timer_.get())) {
    return ResourceExhausted(
        fmt::format("cannot wait for a completion queue: {}", SystemErrorText(errno)),
        "raise the number of open files of this process: ulimit -n");
  }
  return waiting;
}

void OfiWaiting::Refused() {
  if (is_set_) return;
  is_set_ = true;
  due_ = RealClock::MonotonicNow() + delay_;
  if (timer_.is_open()) {
    itimerspec when{};
    when.it_value.tv_nsec = std::chrono::nanoseconds(delay_).count();
    timerfd_settime(timer_.get(), 0, &when, nullptr);
  }
  delay_ = std::min(2 * delay_, kDelayMax);
}

bool OfiWaiting::IsDue() {
  if (!is_set_ || RealClock::MonotonicNow() < due_) return false;
  is_set_ = false;
  if (timer_.is_open()) {
    // Also stops one that is not over yet by its own reckoning.
    const itimerspec never{};
    timerfd_settime(timer_.get(), 0, &never, nullptr);
  }
  return true;
}

}  // namespace cirein::fabric
