// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/resource_url.h"

#include "fabric/transport.h"

namespace cirein {

/// A pool with more members than this is refused.
inline constexpr std::size_t kMaxMembers = 4096;

/// Where a member is, as people and files say it: the address that it tells itself
/// ("auto://..."), or HOST:PORT, where its fabric listens. InvalidArgument for anything else.
Result<fabric::Address> MemberAddress(std::string_view text);

/// The members that a URL names itself, in their order: options num=N and ag0=ADDRESS to agN-1.
/// None when there is no num. InvalidArgument for a list that is not whole.
Result<std::vector<fabric::Address>> MembersIn(const ResourceUrl& url);

/// Is this member the process that is reached at `own`?
bool IsSameMember(const fabric::Address& member, const fabric::Address& own);

}  // namespace cirein
