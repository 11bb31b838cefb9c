// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cirein/status.h"

/// What all spaces say alike about names and access.
namespace cirein {

/// The file by which a process holds a directory; no region may be called so.
inline constexpr char kLockName[] = "lock";

/// InvalidArgument unless it is a plain file name that a region may have.
Status CheckRegionName(const std::string& name);

Status NoSuchRegion(const std::string& name);
Status ReadOnlyRegion(const std::string& name);

}  // namespace cirein
