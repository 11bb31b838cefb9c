// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/command.h"

namespace cirein::resp {

/// What SCAN and HSCAN are asked for.
struct ScanOptions {
  std::uint64_t count = 10;  ///< About so many are looked at; at least 1.
  std::optional<std::string_view> match;
  std::optional<std::string_view> type;  ///< A type's name as it was given; of SCAN only.

  /// Does a name match?
  bool Matches(std::string_view name) const noexcept;
};

/// A cursor as Redis reads it: unsigned, after blanks and a sign if there are any. Null: no cursor.
std::optional<std::uint64_t> ParseCursor(std::string_view text) noexcept;

/// Reads a command's cursor; false: the reply is an error.
bool ReadCursor(DataCall& call, std::size_t at, std::uint64_t& cursor);

/// Which command's options.
enum class ScanKind : std::uint8_t { kKeys, kFields };

/// Reads the options from an argument on; false: the reply is an error.
bool ReadScanOptions(DataCall& call, std::size_t from, ScanKind kind, ScanOptions& options);

/// The first element of what a scan answers: an array of this and of an array.
void ReplyCursor(ReplyWriter& reply, std::uint64_t cursor);

}  // namespace cirein::resp
