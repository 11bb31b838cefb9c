// SPDX-License-Identifier: Apache-2.0
#include "runtime/other_process.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <limits>
#include <poll.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "runtime/file.h"
#include "runtime/real_clock.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

constexpr std::uint64_t kMaxStatBytes = 4096;
constexpr std::chrono::hours kLongestWait{1};

// The n-th word, counted from 0.
std::string_view Word(std::string_view text, int n) {
  for (; n > 0; --n) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return {};
    text.remove_prefix(blank + 1);
  }
  return text.substr(0, text.find_first_of(" \n"));
}

// When a process started, from the text of its /proc/PID/stat. The name in it, in brackets, may be
// anything; the start is the twentieth word behind it.
Result<std::uint64_t> StartTicks(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 > stat.size()) {
    return IoError("/proc does not tell when a process started");
  }
  constexpr int kStartWord = 19;
  return ParseUint64(Word(stat.substr(name_end + 2), kStartWord));
}

Status Gone(std::uint64_t pid) {
  return NotFound(fmt::format("the process {} has ended", pid), "nothing is left to be stopped");
}

}  // namespace

Result<ProcessIdentity> OwnProcessIdentity() {
  CIREIN_ASSIGN_OR_RETURN(const std::string stat, ReadFile("/proc/self/stat", kMaxStatBytes));
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t start_ticks, StartTicks(stat));
  return ProcessIdentity{static_cast<std::uint64_t>(getpid()), start_ticks};
}

Result<std::unique_ptr<OtherProcess>> OtherProcess::Find(const ProcessIdentity& identity) {
  if (identity.pid == 0 || identity.pid > std::uint64_t{std::numeric_limits<pid_t>::max()}) {
    return InvalidArgument(fmt::format("{} is no number of a process", identity.pid));
  }
  FileDescriptor fd(
      static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(identity.pid), 0U)));
  if (!fd.is_open()) {
    if (errno == ESRCH) return Gone(identity.pid);
    return IoError(
        fmt::format("cannot look at the process {}: {}", identity.pid, SystemErrorText(errno)));
  }
  // From here on the descriptor is of one process; is it the right one?
  const auto stat = ReadFile(fmt::format("/proc/{}/stat", identity.pid), kMaxStatBytes);
  if (!stat.ok()) return Gone(identity.pid);
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t start_ticks, StartTicks(*stat));
  std::unique_ptr<OtherProcess> found(new OtherProcess(std::move(fd)));
  // A dead one that nobody has waited for still has its entry in /proc.
  if (start_ticks != identity.start_ticks || found->AwaitEnd(TimePoint{})) {
    return Gone(identity.pid);
  }
  return found;
}

Status OtherProcess::Terminate() {
  if (syscall(SYS_pidfd_send_signal, fd_.get(), SIGTERM, nullptr, 0U) == 0) return OkStatus();
  if (errno == ESRCH) return NotFound("the process has ended");
  if (errno == EPERM) {
    return PermissionDenied("the process belongs to somebody else", "ask as its user, or as root");
  }
  return IoError(fmt::format("cannot reach the process: {}", SystemErrorText(errno)));
}

bool OtherProcess::AwaitEnd(TimePoint end) const {
  for (;;) {
    const auto left = std::clamp<std::chrono::nanoseconds>(
        end - std::min(RealClock::MonotonicNow(), end), std::chrono::nanoseconds(0), kLongestWait);
    pollfd entry{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    if (poll(&entry, 1, static_cast<int>(left_ms)) > 0) return true;
    if (left_ms == 0) return false;
  }
}

}  // namespace cirein
