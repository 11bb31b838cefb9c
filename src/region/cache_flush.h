// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace cirein {

inline constexpr std::size_t kCacheLineBytes = 64;

/// Can this processor write cache lines back at a program's word? On x86-64 all can.
bool CanFlushCacheLines() noexcept;

/// Writes back the cache lines that the range touches, with the best instruction the processor has,
/// and waits until they are with the memory. Needs CanFlushCacheLines.
void FlushCacheLines(const std::byte* begin, std::size_t bytes) noexcept;

}  // namespace cirein
