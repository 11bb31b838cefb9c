// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "region/region.h"

namespace cirein {

/// How a directory's regions are persisted.
enum class FlushMode : std::uint8_t {
  kAuto,       ///< tmpfs and DAX as libpmem2 finds them; everything else by fdatasync.
  kCacheLine,  ///< tmpfs as if it were DAX: flush cache lines, to measure and to try out.
  kFile,       ///< fdatasync everywhere, on tmpfs too.
};

struct DirectoryOptions {
  FlushMode flush = FlushMode::kAuto;
  /// Make the directory (and those above it) if it is missing.
  enum class Missing : std::uint8_t { kFail, kMake } missing = Missing::kFail;
  /// Stands in for the machine's, so that tests and measurements can pretend that it was started
  /// anew; empty: the machine's.
  std::string boot_id = {};
};

/// The regions of a directory: on tmpfs and DAX every file is mapped through libpmem2 and persisted
/// by flushes; on any other file system kRecords and kLog go through pwrite and fdatasync with a
/// read-only mapping beside it, and kWords through a mapping that is synced as a whole. One
/// fdatasync serves all threads whose writes came before it began. NotFound when the directory is
/// missing.
Result<std::unique_ptr<RegionSpace>> OpenDirectorySpace(const std::string& path,
                                                        const DirectoryOptions& options = {});

}  // namespace cirein
