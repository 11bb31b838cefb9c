// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

namespace cirein::dpm {

/// A place in the log region: the offset of an entry from the region's begin, a multiple of 8. 0 is
/// no place (the first segment's header is there).
struct Location {
  std::uint64_t offset = 0;
  explicit operator bool() const noexcept { return offset != 0; }
  friend auto operator<=>(const Location&, const Location&) = default;
};

}  // namespace cirein::dpm
