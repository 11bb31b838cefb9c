// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace cirein::test {

/// A pool type of a user: hands every request on to the pool that its option next_pool names, by
/// asynchronous calls where there are some, and answers from a thread of its own.
inline constexpr std::string_view kForwardingType = "forward";

/// Makes it known, once in a process.
void RegisterForwardingPool();

}  // namespace cirein::test
