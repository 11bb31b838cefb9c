// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/status.h"

/// Sizes and durations as people write them. Pure functions, safe from any thread.
///
/// A number is decimal digits with at most one point and no sign; blanks may stand between it and
/// its unit. The value must come to whole bytes or nanoseconds and fit its type; nothing is
/// rounded.
namespace cirein {

/// Bytes from text. Units, in any case: B; k, M, G, T, P (or kB, MB, ...) are powers of 1000 as in
/// SI; KiB, MiB, GiB, TiB, PiB (or Ki, Mi, ...) are powers of 1024. A number alone counts bytes.
/// Errors: InvalidArgument.
Result<std::uint64_t> ParseBytes(std::string_view text);

/// The exact size in the largest unit that needs no fraction: "64MiB", "1000B". ParseBytes reads it
/// back.
std::string FormatBytes(std::uint64_t bytes);

/// A duration of zero or more from text. Units: ns, us, ms, s, m, h. The unit may be left out for 0
/// alone. Errors: InvalidArgument.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);

/// The exact duration in the largest unit that needs no fraction: "90s", "1500ms". ParseDuration
/// reads it back when it is not negative.
std::string FormatDuration(std::chrono::nanoseconds duration);

/// Three digits for reading, rounded: "1.46GiB", "1.23ms".
std::string BytesForPeople(std::uint64_t bytes);
std::string DurationForPeople(std::chrono::nanoseconds duration);

}  // namespace cirein
