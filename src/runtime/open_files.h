// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace cirein {

/// What became of the process's limit of open files.
struct OpenFilesLimit {
  std::uint64_t before = 0;
  std::uint64_t now = 0;
};

/// Raises the limit of open files to `wanted`, or as far as the system lets it; never lowers it.
/// Thread-safe.
OpenFilesLimit RaiseOpenFiles(std::uint64_t wanted);

}  // namespace cirein
