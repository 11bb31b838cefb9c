// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <sys/types.h>

#include "cirein/status.h"

#include "runtime/file_descriptor.h"

namespace cirein {

/// How a child process ended.
struct ChildEnd {
  /// It returned by itself; `output` is all that it told. Else `output` is what it told before, and
  /// the stack it ended with, where one could be had.
  bool returned = false;
  std::string output;
  std::string how;  ///< For people: "returned", "ended by signal 11 (Segmentation fault)" ...
};

/// A piece of work done in a copy of this process, so that one which crashes or never ends can be
/// told of. Only the calling thread is copied: for programs that have no other. Not thread-safe.
class ChildProcess {
 public:
  struct Options {
    /// Processor time after which it is ended, with the stack it is at.
    std::chrono::seconds cpu_max{60};
  };
  static constexpr std::size_t kOutputBytesMax = std::size_t{64} << 20;

  /// `body` runs in the copy; what it returns is the output, cut at kOutputBytesMax. Errors:
  /// IoError, ResourceExhausted.
  static Result<std::unique_ptr<ChildProcess>> Start(const std::function<std::string()>& body,
                                                     Options options);
  /// Ends it if it has not.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Blocks until one of them has said all it will say; which one.
  static std::size_t WaitAny(std::span<const std::unique_ptr<ChildProcess>> children);
  /// Blocks until it has ended. Once.
  ChildEnd Wait();

 private:
  ChildProcess(pid_t pid, FileDescriptor output) : pid_(pid), output_(std::move(output)) {}
  /// False when there is no more to come.
  bool ReadSome();

  pid_t pid_;
  FileDescriptor output_;
  std::string text_;
};

}  // namespace cirein
