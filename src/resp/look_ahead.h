// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace cirein::resp {

/// What a command may be about, guessed by its first words.
struct LikelyKey {
  std::string_view row;    ///< The second word.
  std::string_view field;  ///< The third, of a command on hashes.
  bool has_field = false;
};

/// Of each of the commands that `input` begins with, as many as are whole there and there is room
/// for. For looking ahead in a pipeline; nothing is believed because of it, and what is odd ends
/// it. How many.
std::size_t FindLikelyKeys(std::string_view input, std::span<LikelyKey> keys);

}  // namespace cirein::resp
