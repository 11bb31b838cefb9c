// SPDX-License-Identifier: Apache-2.0
#include "runtime/shell_command.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>

#include "base/text.h"
#include "runtime/file.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

constexpr const char* kShell = "/bin/sh";

Status InputError(int error) {
  return IoError(fmt::format("cannot keep the input of a command: {}", SystemErrorText(error)),
                 "is there enough memory?");
}

Status WriteAll(const FileDescriptor& file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return InputError(errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return OkStatus();
}

// The name with its '='.
std::string_view NameOf(std::string_view variable) {
  return variable.substr(0, std::min(variable.find('='), variable.size() - 1) + 1);
}

}  // namespace

Result<ShellCommand> ShellCommand::Make(std::string command, std::span<const std::byte> input,
                                        std::vector<std::string> variables) {
  for (const std::string& variable : variables) {
    if (variable.find('\0') == std::string::npos) continue;
    return InvalidArgument(
        fmt::format("{} has a byte 0, which no variable can have", QuoteForPeople(variable)));
  }
  FileDescriptor file(memfd_create("cirein-input", MFD_CLOEXEC));
  if (!file.is_open()) return InputError(errno);
  CIREIN_RETURN_IF_ERROR(WriteAll(file, input));
  if (lseek(file.get(), 0, SEEK_SET) != 0) return InputError(errno);
  std::vector<std::string> environment = Environ();
  std::erase_if(environment, [&](const std::string& there) {
    return std::any_of(variables.begin(), variables.end(), [&](const std::string& variable) {
      return there.starts_with(NameOf(variable));
    });
  });
  std::move(variables.begin(), variables.end(), std::back_inserter(environment));
  return ShellCommand(std::move(command), std::move(file), std::move(environment));
}

Status ShellCommand::TakeOver() {
  std::vector<char*> variables;
  variables.reserve(environment_.size() + 1);
  for (std::string& variable : environment_) variables.push_back(variable.data());
  variables.push_back(nullptr);
  std::string shell = kShell;
  std::string flag = "-c";
  char* const arguments[] = {shell.data(), flag.data(), command_.data(), nullptr};
  if (dup2(input_.get(), STDIN_FILENO) < 0) return InputError(errno);
  // What this process ignores or blocks would be so for the command too.
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(kShell, arguments, variables.data());
  return FileError("run", kShell, errno);
}

}  // namespace cirein
