// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cirein/directory.h"

namespace cirein {

/// A directory's entry as the bytes of its object: "cirein directory 1", the revision, the URL (empty:
/// dropped) and "NAME ADDRESS" of each member, a line each. Pure.
std::string TextOf(const DirectoryInfo& entry);
/// DataLoss for text that is none.
Result<DirectoryInfo> DirectoryInfoOf(std::string_view text);

/// InvalidArgument for what cannot name a member.
Status CheckMemberName(std::string_view name);

}  // namespace cirein
