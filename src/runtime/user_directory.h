// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cirein/status.h"

namespace cirein {

/// The path of a directory of this host that this user's processes share and nobody else can enter:
/// /tmp/<prefix>-<user's number>, made if it is not there. PermissionDenied when what is there is
/// another user's, or others may enter it. Blocks.
Result<std::string> UserDirectory(std::string_view prefix = "cirein");

}  // namespace cirein
