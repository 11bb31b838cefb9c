// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "region/directory_space.h"
#include "region/mapped_region.h"
#include "region/region.h"

namespace cirein {

/// What the files of a directory are on, and how they are persisted.
struct DirectoryMedium {
  MediumTraits traits;
  bool mapped = false;  ///< MappedRegion with `flush`; else FileRegion.
  MappedRegion::Flush flush = MappedRegion::Flush::kNone;
  bool names_persist = true;  ///< False where nothing survives, so a sync is no use.
};

/// Looks at the file system, with a nameless file where one can be made. InvalidArgument when cache
/// lines cannot be flushed there; IoError. `path` is for messages.
Result<DirectoryMedium> ProbeMedium(int directory, const std::string& path, FlushMode mode);

}  // namespace cirein
