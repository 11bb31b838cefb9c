// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cirein/status.h"

#include "runtime/gate.h"
#include "runtime/task.h"
#include "runtime/timers.h"

namespace cirein {

/// Starts `task` on the calling thread, where it runs until it first waits, and lets it go on by
/// itself. It is inside `gate` until its frame is destroyed: closing the gate is how to know that
/// all have ended. An exception out of it is logged with `name`, and counted (runtime/guarded.h).
/// Unavailable when the gate is closed: then it never starts.
Status Spawn(Gate& gate, std::string name, Task<void> task);

/// Closes `gate` and waits for all to leave, in a coroutine on the thread of `home`.
Task<void> CloseGate(Gate& gate, TimerService& home);

}  // namespace cirein
