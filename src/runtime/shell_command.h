// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "runtime/file_descriptor.h"

namespace cirein {

/// A command of /bin/sh that takes this process's place, with bytes as its standard input, which it
/// can also open as /dev/stdin, read again and seek in.
class ShellCommand {
 public:
  /// Copies `input`. `variables` are NAME=VALUE, added to the process's environment in the place of
  /// those of the same name. Errors: IoError; InvalidArgument for a byte 0 in a variable.
  static Result<ShellCommand> Make(std::string command, std::span<const std::byte> input,
                                   std::vector<std::string> variables);

  /// Becomes the command: what it ends with is how this process ends. Other threads end at once, so
  /// whatever has to end in order must have ended. Returns only with an error.
  Status TakeOver();

 private:
  ShellCommand(std::string command, FileDescriptor input, std::vector<std::string> environment)
      : command_(std::move(command)),
        input_(std::move(input)),
        environment_(std::move(environment)) {}

  std::string command_;
  FileDescriptor input_;
  std::vector<std::string> environment_;
};

}  // namespace cirein
