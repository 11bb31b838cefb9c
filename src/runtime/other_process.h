// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "cirein/status.h"

#include "runtime/clock.h"
#include "runtime/file_descriptor.h"

namespace cirein {

/// What tells a process from every other one of this machine's start, also from a later one with
/// its number.
struct ProcessIdentity {
  std::uint64_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< When it started, since the machine did; as /proc tells it.

  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

/// Of the calling process. IoError where /proc is not there.
Result<ProcessIdentity> OwnProcessIdentity();

/// A process that this one did not start. While this is held the number is not given to another
/// one, as far as this is concerned: what is sent reaches it or nobody. Thread-safe.
class OtherProcess {
 public:
  /// NotFound when that process has ended, whoever has its number now.
  static Result<std::unique_ptr<OtherProcess>> Find(const ProcessIdentity& identity);

  /// Asks it to end (SIGTERM). NotFound when it has; PermissionDenied when it is somebody else's.
  Status Terminate();
  /// Blocks until it has ended, or the real monotonic clock shows `end`; true when it has.
  bool AwaitEnd(TimePoint end) const;

 private:
  explicit OtherProcess(FileDescriptor fd) : fd_(std::move(fd)) {}
  const FileDescriptor fd_;
};

}  // namespace cirein
