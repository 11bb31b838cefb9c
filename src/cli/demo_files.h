// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cirein/key.h"
#include "cirein/status.h"

namespace cirein {

/// A real file, read whole.
struct DemoFile {
  std::string directory;
  std::string name;
  std::string bytes;

  std::string path() const { return directory + "/" + name; }
  /// Its object's name: the directory is the row, the name the column.
  Key key() const { return {directory, name}; }
};

/// How much a demonstration takes: enough to be real, little enough to be quick.
struct DemoLimits {
  std::size_t files = 48;
  std::size_t files_per_directory = 8;
  std::size_t directories = 200;  ///< Looked into.
  std::uint64_t file_bytes = 4 << 20;
  std::uint64_t total_bytes = 16 << 20;
};

/// Reads ordinary files below the roots, nearest first, sorted by path; what cannot be read, is
/// empty, too large, or has a name that hints at secrets is passed over. Blocks. Errors: those of
/// listing the roots when none can be listed; NotFound when no file fits.
Result<std::vector<DemoFile>> PickDemoFiles(const std::vector<std::string>& roots,
                                            const DemoLimits& limits = {});

}  // namespace cirein
