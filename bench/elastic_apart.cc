// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_apart.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/wait.h>

#include "cirein/library.h"

namespace cirein::bench {
namespace {

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

// What a handler may touch.
volatile std::sig_atomic_t caught_signal = 0;
volatile pid_t child = 0;

void Catch(int signal_number) {
  caught_signal = signal_number;
  if (child > 0) kill(child, SIGKILL);
}

void Handle(void (*handler)(int)) {
  for (const int signal_number : kSignals) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigaction(signal_number, &action, nullptr);
  }
}

std::string MakeScratch(const std::string& parent) {
  std::string path = parent + "/cirein-bench-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) Must(IoError("cannot make a directory in " + parent));
  return path;
}

// With the signals held back: one that comes too early would leave a directory or a child alone.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal_number : kSignals) sigaddset(&held, signal_number);
    sigprocmask(SIG_BLOCK, &held, &before_);
  }
  ~HeldSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t before_;
};

[[noreturn]] void BeChild(const Places& places, const std::function<void(const Places&)>& measure) {
  {
    const Library library;
    Must(library.status());
    measure(places);
  }
  std::fflush(stdout);
  _exit(0);
}

// What it ended with; not 0 when there is none.
int WaitForChild() {
  int status = -1;
  if (child > 0) {
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  }
  child = 0;
  return status;
}

}  // namespace

void RunApart(const std::string& disk, const std::function<void(const Places&)>& measure) {
  Handle(&Catch);
  std::fflush(stdout);
  Places places;
  bool is_child = false;
  {
    const HeldSignals held;
    // First the one that the caller names, which may not be there.
    places.disk = MakeScratch(disk);
    places.tmpfs = MakeScratch("/dev/shm");
    const pid_t forked = fork();
    is_child = forked == 0;
    if (is_child) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      Handle(SIG_DFL);
    } else {
      child = forked;
    }
  }
  if (is_child) BeChild(places, measure);
  const int status = WaitForChild();
  std::error_code ignored;
  std::filesystem::remove_all(places.tmpfs, ignored);
  std::filesystem::remove_all(places.disk, ignored);
  if (caught_signal != 0) std::_Exit(128 + caught_signal);
  if (status == 0) return;
  std::fputs("a measurement ended with an error; what stands above is all there is\n", stderr);
  std::_Exit(1);
}

}  // namespace cirein::bench
