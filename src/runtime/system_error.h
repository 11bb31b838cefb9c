// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cirein/status.h"

namespace cirein {

/// What the system calls this errno value, such as "No such file or directory".
std::string SystemErrorText(int error);

/// The Status for a system call on a file that failed: "cannot <action> '<path>': <text>", with the
/// next step as its hint. NotFound, AlreadyExists and PermissionDenied say so by their code; all
/// else is IoError, a full disk too.
Status FileError(std::string_view action, const std::string& path, int error);

}  // namespace cirein
