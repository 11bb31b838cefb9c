// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "cirein/status.h"

namespace cirein {

/// Chunks begin at multiples of this, so that a block finds its chunk by masking its address.
inline constexpr std::size_t kChunkBytes = std::size_t{2} << 20;

/// Maps fresh zeroed memory, aligned to kChunkBytes; `bytes` is a multiple of the page size. Asks
/// for huge pages where they fit: touching fresh memory is then four times as fast. Poisoned for
/// AddressSanitizer. ResourceExhausted when the system refuses.
Result<std::byte*> MapPages(std::size_t bytes);

/// Gives memory of MapPages back, all of it.
void UnmapPages(std::byte* pages, std::size_t bytes) noexcept;

/// Tells AddressSanitizer, if it is there, that memory is free: touching it is a mistake.
void PoisonMemory(const void* memory, std::size_t bytes) noexcept;
/// Tells it that memory is in use.
void UnpoisonMemory(const void* memory, std::size_t bytes) noexcept;

/// A link kept in the first bytes of a free block, which may be poisoned.
void* LoadLink(const void* block) noexcept;
void StoreLink(void* block, void* link) noexcept;

#if defined(__SANITIZE_ADDRESS__)
#define CIREIN_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CIREIN_ADDRESS_SANITIZER 1
#endif
#endif

#ifndef CIREIN_ADDRESS_SANITIZER
inline void PoisonMemory(const void*, std::size_t) noexcept {}
inline void UnpoisonMemory(const void*, std::size_t) noexcept {}
inline void* LoadLink(const void* block) noexcept { return *static_cast<void* const*>(block); }
inline void StoreLink(void* block, void* link) noexcept { *static_cast<void**>(block) = link; }
#endif

}  // namespace cirein
