// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace cirein {

/// Ends the process because the program itself is wrong: writes "cirein: MESSAGE" to standard error
/// and aborts. Never for bad input, which gets a Status.
[[noreturn]] void Fatal(std::string_view message);

}  // namespace cirein
