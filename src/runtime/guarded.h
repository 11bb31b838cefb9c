// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace cirein {

/// Runs `work` and lets no exception out: one is logged with `where`, and counted. True when it
/// returned. Work comes from users; a loop or a worker must survive it.
bool RunGuarded(std::string_view where, const std::function<void()>& work);

/// Logs the exception being handled, for those who catch it themselves; only within a catch block.
void LogCaughtException(std::string_view where);

/// Exceptions that RunGuarded and LogCaughtException have seen in this process.
std::uint64_t CaughtExceptionCount();

}  // namespace cirein
