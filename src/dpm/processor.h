// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "dpm/dpm.h"
#include "runtime/clock.h"
#include "runtime/executor.h"
#include "runtime/timers.h"

namespace cirein::dpm {

/// Keeps a pool's processor working beside its writers: merges and cleans when enough was committed
/// to be worth a wake-up, and syncs what was answered from the page cache. Idle it costs nothing:
/// the timer runs only while something is not synced.
///
/// The executor's threads may block for the medium; in virtual time it is whatever the simulation
/// puts there. Errors stay with the pool (Dpm::status).
class Processor {
 public:
  struct Options {
    /// A commit is synced this long after it, and the time the sync takes: with it well within the
    /// second that Durability::kProcess promises.
    std::chrono::nanoseconds sync_after = std::chrono::milliseconds(500);
    std::uint64_t wake_bytes = 256 * 1024;  ///< Committed since the last look.
  };
  /// Nobody else may use the pool's SetOnCommit. The others must outlive this object.
  Processor(Dpm& pool, Clock& clock, TimerService& timers, Executor& executor, Options options);
  /// Waits for the piece of work that is running. The writers must have stopped.
  ~Processor();

 private:
  class State;
  Dpm& pool_;
  // Shared with work that is queued and will find it stopped.
  const std::shared_ptr<State> state_;
};

}  // namespace cirein::dpm
