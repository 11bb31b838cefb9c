// SPDX-License-Identifier: Apache-2.0
#include "cli/standard_console.h"

#include <cerrno>
#include <cstdio>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

bool IsTerminal(std::FILE* file) { return isatty(fileno(file)) == 1; }

}  // namespace

StandardConsole::StandardConsole(Colors colors)
    : animates_(IsTerminal(stderr) && colors == Colors::kOnTerminals),
      colors_data_(IsTerminal(stdout) && colors == Colors::kOnTerminals),
      colors_messages_(animates_) {}

void StandardConsole::NoteError() {
  if (error_ == 0) error_ = errno;
}

void StandardConsole::Write(std::string_view data) {
  const std::lock_guard lock(mutex_);
  if (error_ != 0) return;
  if (std::fwrite(data.data(), 1, data.size(), stdout) != data.size()) NoteError();
}

void StandardConsole::Tell(std::string_view message) {
  const std::lock_guard lock(mutex_);
  // Data that belongs before the message stands before it, where both go to one place.
  if (error_ == 0 && std::fflush(stdout) != 0) NoteError();
  // Nobody is left to be told when this fails.
  static_cast<void>(std::fwrite(message.data(), 1, message.size(), stderr));
  static_cast<void>(std::fflush(stderr));
}

Status StandardConsole::Flush() {
  const std::lock_guard lock(mutex_);
  if (error_ == 0 && std::fflush(stdout) != 0) NoteError();
  if (error_ == 0 || error_ == EPIPE) return OkStatus();
  return FileError("write", "standard output", error_);
}

bool StandardConsole::reader_gone() const {
  const std::lock_guard lock(mutex_);
  return error_ == EPIPE;
}

Result<std::string> StandardConsole::ReadInput(std::uint64_t max_bytes) {
  return ReadStandardInput(max_bytes);
}

}  // namespace cirein
