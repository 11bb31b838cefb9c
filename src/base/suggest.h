// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cirein {

/// The candidate a misspelt `name` most likely means: the fewest insertions, deletions, changes and
/// swaps of neighbours away, at most a third of its length (but one is always allowed). Case does
/// not count. The first of equals; nullopt when none is near. Pure; a name of more than 100 bytes
/// is near to nothing, so the cost is bounded.
std::optional<std::string_view> Nearest(std::string_view name,
                                        std::span<const std::string_view> candidates);

/// `did you mean "memory.limit"?`, or `otherwise` when nothing is near: a hint for an error.
std::string DidYouMean(std::string_view name, std::span<const std::string_view> candidates,
                       std::string otherwise);

}  // namespace cirein
