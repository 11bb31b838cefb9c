// SPDX-License-Identifier: Apache-2.0
#include "runtime/interrupt_flag.h"

#include <cerrno>
#include <signal.h>

namespace cirein {
namespace {

std::atomic<InterruptFlag*> installed{nullptr};
static_assert(std::atomic<InterruptFlag*>::is_always_lock_free, "a signal handler reads it");

}  // namespace

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
  flag->happened_.Notify();
  errno = saved_errno;
}

}  // namespace cirein
