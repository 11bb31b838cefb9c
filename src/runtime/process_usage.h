// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace cirein {

/// What this process has used so far, and has now.
struct ProcessUsage {
  std::chrono::nanoseconds user{0};
  std::chrono::nanoseconds system{0};
  std::uint64_t resident_bytes = 0;
  std::uint64_t peak_resident_bytes = 0;
  std::uint64_t id = 0;  ///< As the system numbers processes.
};

/// Thread-safe; takes some microseconds.
ProcessUsage ReadProcessUsage();

}  // namespace cirein
