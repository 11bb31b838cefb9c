// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string_view>

#include "resp/command_table.h"

namespace cirein::resp {

/// What Redis's C strings are to itself: the bytes before the first zero byte.
inline std::string_view AsCString(std::string_view text) noexcept {
  return text.substr(0, text.find('\0'));
}

/// Is the argument this option, whatever its case, as Redis compares C strings (unlike IsWord)?
/// `word` is in lower case.
inline bool IsOption(std::string_view argument, std::string_view word) noexcept {
  const auto same = [](char given, char wanted) {
    return (given >= 'A' && given <= 'Z' ? static_cast<char>(given - 'A' + 'a') : given) == wanted;
  };
  const std::string_view given = AsCString(argument);
  return std::equal(given.begin(), given.end(), word.begin(), word.end(), same);
}

}  // namespace cirein::resp
