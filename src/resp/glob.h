// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace cirein::resp {

/// Does the whole text match a pattern as Redis 7 reads it? `*` any bytes, `?` one byte, `[a-z]`
/// one of these, `[^x]` one byte that is none of these, a backslash takes the meaning from the byte
/// behind it. Redis's odd corners are kept: a class without its end ends with the pattern, a range
/// may be written backwards, and nothing but the empty pattern matches the empty text.
///
/// Takes at most as many steps as pattern and text have bytes, multiplied.
bool GlobMatches(std::string_view pattern, std::string_view text) noexcept;

/// The bytes that every text which matches begins with; may be fewer than there are.
std::string GlobPrefix(std::string_view pattern);

/// A pattern that every text matches, the empty one too: "*", which Redis does not even look at.
inline bool GlobIsAll(std::string_view pattern) noexcept { return pattern == "*"; }
/// Matches at most one text: GlobPrefix.
bool GlobIsExact(std::string_view pattern) noexcept;

}  // namespace cirein::resp
