// SPDX-License-Identifier: Apache-2.0
#include "runtime/interrupt_flag.h"

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "runtime/real_clock.h"

namespace cirein {
namespace {

std::atomic<InterruptFlag*> installed{nullptr};
static_assert(std::atomic<InterruptFlag*>::is_always_lock_free, "a signal handler reads it");

// The longest wait in one call: poll's milliseconds are an int, and without an event it looks again
// this often.
constexpr std::chrono::milliseconds kLongestPoll = std::chrono::minutes(10);
constexpr std::chrono::milliseconds kPollWithoutEvent{50};

}  // namespace

InterruptFlag::InterruptFlag() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

InterruptFlag& InterruptFlag::Install() {
  static InterruptFlag* const flag = [] {
    auto* const fresh = new InterruptFlag;  // Never destroyed: a signal may come at any time.
    installed.store(fresh, std::memory_order_release);
    struct sigaction action {};
    action.sa_handler = &InterruptFlag::Handle;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    return fresh;
  }();
  return *flag;
}

void InterruptFlag::Handle(int signal_number) {
  const int saved_errno = errno;
  // The second signal, of either kind, ends the process.
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  InterruptFlag* const flag = installed.load(std::memory_order_acquire);
  flag->signal_number_.store(signal_number, std::memory_order_relaxed);
  flag->Raise();
  errno = saved_errno;
}

// An atomic store and a system call: fit for a signal handler.
void InterruptFlag::Raise() noexcept {
  set_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  // It can only fail where there is no event, or where it is readable already.
  [[maybe_unused]] const ssize_t written = write(event_, &one, sizeof one);
}

bool InterruptFlag::WaitUntil(TimePoint end) noexcept {
  using std::chrono::milliseconds;
  while (!IsSet()) {
    const TimePoint now = RealClock::MonotonicNow();
    if (now >= end) return false;
    const milliseconds longest = event_ >= 0 ? kLongestPoll : kPollWithoutEvent;
    // Rounded up: a poll that ends early would only be followed by another.
    const milliseconds left =
        end - now > longest ? longest : std::chrono::ceil<milliseconds>(end - now);
    pollfd event{event_, POLLIN, 0};  // A negative one is passed over.
    poll(&event, 1, static_cast<int>(left.count()));
  }
  return true;
}

}  // namespace cirein
