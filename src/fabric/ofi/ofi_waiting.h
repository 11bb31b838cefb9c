// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "cirein/status.h"

#include "runtime/clock.h"
#include "runtime/file_descriptor.h"

namespace cirein::fabric {

/// What a home waits on for a port: the provider's descriptor, and a timer for what was refused. A
/// provider refuses what is sent while it still reaches for the peer, and wakes nobody when it has
/// reached him; it makes progress with that only when it is polled. So whoever was refused looks
/// again when the timer is over: soon the first times, then less and less often, because a peer
/// that is gone is reached for without end.
class OfiWaiting {
 public:
  /// `queue_fd`: the provider's, which outlives this; -1: it has none, and nothing can be waited
  /// on.
  static Result<OfiWaiting> Open(int queue_fd);

  /// Readable when either is; -1 as above.
  int fd() const { return poll_.get(); }
  /// Something was refused: it may be tried again when IsDue has said so.
  void Refused();
  void Accepted() { delay_ = kDelayMin; }
  /// True once when the time has come.
  bool IsDue();

 private:
  static constexpr std::chrono::microseconds kDelayMin{250};
  static constexpr std::chrono::microseconds kDelayMax{20'000};

  FileDescriptor poll_;
  FileDescriptor timer_;
  bool is_set_ = false;
  TimePoint due_{};
  std::chrono::microseconds delay_ = kDelayMin;
};

}  // namespace cirein::fabric
