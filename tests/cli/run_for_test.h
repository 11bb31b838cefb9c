// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/console.h"

namespace cirein {

/// Keeps what the command says; no terminal.
class StringConsole : public Console {
 public:
  StringConsole() = default;
  /// `input` is what standard input gives.
  explicit StringConsole(std::string input) : input_(std::move(input)) {}

  void Write(std::string_view data) override {
    const std::lock_guard lock(mutex_);
    out_ += data;
  }
  void Tell(std::string_view message) override {
    const std::lock_guard lock(mutex_);
    err_ += message;
  }
  Status Flush() override { return OkStatus(); }
  bool reader_gone() const override { return false; }
  Result<std::string> ReadInput(std::uint64_t max_bytes) override {
    if (input_.size() > max_bytes) return ResourceExhausted("standard input is too long");
    return input_;
  }
  bool animates() const override { return false; }
  bool colors_data() const override { return false; }
  bool colors_messages() const override { return false; }

  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  std::mutex mutex_;
  const std::string input_;
  std::string out_;
  std::string err_;
};

struct CommandRun {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs the command inside the test, with these arguments and this environment alone.
inline CommandRun RunForTest(std::vector<std::string> arguments,
                             std::vector<std::string> environment = {}) {
  StringConsole console;
  const ExitCode code = RunCommand(arguments, environment, console);
  return {static_cast<int>(code), console.out(), console.err()};
}

/// The same with something on standard input.
inline CommandRun RunWithInputForTest(std::vector<std::string> arguments, std::string input) {
  StringConsole console(std::move(input));
  const ExitCode code = RunCommand(arguments, std::vector<std::string>(), console);
  return {static_cast<int>(code), console.out(), console.err()};
}

}  // namespace cirein
