// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread.h"

#include <array>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <system_error>
#include <time.h>

#include <fmt/format.h>

#include "runtime/guarded.h"

namespace cirein {
namespace {

// A thread inherits its creator's signal mask, so it is narrowed around the creation.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (int raised_by_fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF}) {
      sigdelset(&blocked, raised_by_fault);
    }
    pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Result<std::thread> StartThread(std::string name, std::function<void()> body) {
  const BlockedSignals blocked;
  try {
    return std::thread([name, body = std::move(body)]() mutable {
      SetCurrentThreadName(name);
      RunGuarded(name, body);
      body = nullptr;  // What it captured goes before the thread counts as ended.
    });
  } catch (const std::system_error& error) {
    return ResourceExhausted(
        fmt::format("cannot start thread '{}': {}", name, error.code().message()),
        "raise the limit on processes and threads (ulimit -u, or pids.max of the cgroup), or "
        "configure fewer threads");
  }
}

void SetCurrentThreadName(std::string_view name) {
  constexpr std::size_t kMaxName = 15;
  pthread_setname_np(pthread_self(), std::string(name.substr(0, kMaxName)).c_str());
}

Status PinCurrentThread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int error = EINVAL;
  if (cpu >= 0 && cpu < CPU_SETSIZE) {
    CPU_SET(static_cast<unsigned>(cpu), &set);
    error = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  }
  if (error == 0) return OkStatus();
  return InvalidArgument(fmt::format("cannot pin a thread to processor {}: {}", cpu,
                                     std::generic_category().message(error)),
                         "choose one that this process may use; `nproc` counts them");
}

std::chrono::nanoseconds CurrentThreadCpuTime() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

int AvailableCpuCount() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? static_cast<int>(count) : 1;
}

}  // namespace cirein
