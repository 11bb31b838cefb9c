// SPDX-License-Identifier: Apache-2.0
#include "runtime/child_process.h"

#include <array>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "runtime/stack_text.h"
#include "runtime/system_error.h"

namespace cirein {

namespace {

constexpr int kTooLong = 4;  // The exit code.
constexpr int kLastSeconds = 10;

// Where a child tells what there is to tell; of this process, set once in the child.
int told_fd = -1;

void WriteAll(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(told_fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

extern "C" void OnTooLong(int /*signal*/) {
  WriteAll("it took more processor time than it may, here:\n");
  WriteStackTo(told_fd);
  _exit(kTooLong);
}

extern "C" void OnCrash(int signal) {
  WriteAll("it crashed, here:\n");
  WriteStackTo(told_fd);
  // The handler was for once: now it has its ordinary effect.
  raise(signal);
}

void Prepare(const ChildProcess::Options& options) {
  static_cast<void>(StackText());  // What it needs at first is there from here on.
  struct sigaction too_long = {};
  too_long.sa_handler = OnTooLong;
  sigaction(SIGPROF, &too_long, nullptr);
  struct sigaction crash = {};
  crash.sa_handler = OnCrash;
  crash.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
    sigaction(signal, &crash, nullptr);
  }
  itimerval limit = {};
  limit.it_value.tv_sec = options.cpu_max.count();
  setitimer(ITIMER_PROF, &limit, nullptr);
  // Where the signal is not heard, the system ends it a little later.
  const auto seconds = static_cast<rlim_t>(options.cpu_max.count() + kLastSeconds);
  const rlimit cpu = {seconds, seconds};
  setrlimit(RLIMIT_CPU, &cpu);
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(const std::function<std::string()>& body,
                                                          Options options) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    return IoError(fmt::format("cannot make a pipe: {}", SystemErrorText(errno)));
  }
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) {
    return ResourceExhausted(
        fmt::format("cannot start a process: {}; end some others", SystemErrorText(errno)));
  }
  if (pid == 0) {
    reading.Close();
    told_fd = writing.Release();
    Prepare(options);
    // Nothing unwinds into the parent's frames, which are copied here.
    const std::string told = [&]() noexcept { return body(); }();
    WriteAll(std::string_view(told).substr(0, kOutputBytesMax));
    _exit(0);
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, std::move(reading)));
}

ChildProcess::~ChildProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool ChildProcess::ReadSome() {
  std::array<char, 64 * 1024> buffer;
  const ssize_t bytes = read(output_.get(), buffer.data(), buffer.size());
  if (bytes < 0) return errno == EINTR;
  if (text_.size() < 2 * kOutputBytesMax)
    text_.append(buffer.data(), static_cast<std::size_t>(bytes));
  return bytes > 0;
}

std::size_t ChildProcess::WaitAny(std::span<const std::unique_ptr<ChildProcess>> children) {
  for (;;) {
    std::vector<pollfd> polled;
    for (const auto& child : children) polled.push_back({child->output_.get(), POLLIN, 0});
    while (poll(polled.data(), polled.size(), -1) < 0 && errno == EINTR) {
    }
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents != 0 && !children[i]->ReadSome()) return i;
    }
  }
}

ChildEnd ChildProcess::Wait() {
  while (ReadSome()) {
  }
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  ChildEnd end;
  end.returned = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  end.output = end.returned ? std::move(text_) : DemangleStack(text_);
  if (end.returned) {
    end.how = "returned";
  } else if (WIFSIGNALED(status)) {
    end.how = fmt::format("ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  } else if (WEXITSTATUS(status) == kTooLong) {
    end.how = "took more processor time than it may";
  } else {
    end.how = fmt::format("ended with exit code {}", WEXITSTATUS(status));
  }
  return end;
}

}  // namespace cirein
