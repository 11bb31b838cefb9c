// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "cirein/status.h"

namespace cirein {

/// Starts a thread called `name` (the system keeps its first 15 bytes) that runs `body`. Signals
/// meant for the process are blocked in it, so that a user's handlers run on the user's own
/// threads; those a fault raises, and SIGPROF, are not. The caller joins or detaches it. An
/// exception out of `body` is logged, and the thread ends. ResourceExhausted when the system
/// refuses another thread.
Result<std::thread> StartThread(std::string name, std::function<void()> body);

/// Names the calling thread, for debuggers and `top -H`.
void SetCurrentThreadName(std::string_view name);

/// Keeps the calling thread on one processor. InvalidArgument for one that it may not use.
Status PinCurrentThread(int cpu);

/// Processor time that the calling thread has used; what a test of idleness looks at.
std::chrono::nanoseconds CurrentThreadCpuTime();

/// The processors this process may use, at least 1.
int AvailableCpuCount();

}  // namespace cirein
