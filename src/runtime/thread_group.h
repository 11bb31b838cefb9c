// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "cirein/status.h"

namespace cirein {

/// Runs body(0) to body(count - 1), each on a thread of its own called "<name>-<index>", and blocks
/// until all have returned: load generators and stress tests. No body begins before all threads are
/// there, so that they start together; when a thread cannot be started none begins. Returns the
/// error of the lowest index that failed; an exception is Aborted.
Status RunThreads(std::size_t count, const std::string& name,
                  const std::function<Status(std::size_t index)>& body);

}  // namespace cirein
