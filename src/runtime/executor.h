// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "cirein/status.h"

namespace cirein {

/// Somewhere to run work later: threads in production, the run queue of a virtual world in tests.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Queues `work`, which runs exactly once, with no lock held; an exception out of it is logged
  /// and counted. Thread-safe; does not block. ResourceExhausted when the queue's bound or the
  /// bound on stuck workers is reached, Unavailable when closed: then `work` does not run.
  virtual Status Submit(std::function<void()> work) = 0;
};

}  // namespace cirein
