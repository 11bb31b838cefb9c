// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cirein/status.h"

namespace cirein {

/// What the command tells the shell. Scripts decide by these, so their meanings never change.
enum class ExitCode : std::uint8_t {
  kOk = 0,
  kUsage = 1,
  kNotFound = 2,
  kDeadline = 3,
  kUnavailable = 4,
  kPartial = 5,
  kRefused = 6,
  kInternal = 70,
};

/// The one place that says which error ends the command with which code.
ExitCode ExitCodeOf(const Status& status) noexcept;

struct ExitCodeMeaning {
  ExitCode code;
  std::string_view meaning;  ///< A phrase for help and docs.
};
/// Every exit code, from small to large.
std::span<const ExitCodeMeaning> ExitCodes();

}  // namespace cirein
