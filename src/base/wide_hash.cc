// SPDX-License-Identifier: Apache-2.0
#include "base/wide_hash.h"

#include <new>

// For XXH3_state_t.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

// It is there where the library chooses among its variants when it runs, and makes the names below
// lead to that choice.
#if __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#endif

namespace cirein {
namespace {

XXH3_state_t* StateIn(std::byte* bytes) noexcept {
  return std::launder(reinterpret_cast<XXH3_state_t*>(bytes));  // NOLINT: made there by `new`.
}
const XXH3_state_t* StateIn(const std::byte* bytes) noexcept {
  return std::launder(reinterpret_cast<const XXH3_state_t*>(bytes));  // NOLINT: as above.
}

}  // namespace

std::uint64_t WideHash64(const void* bytes, std::size_t count, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes, count, seed);
}

WideHasher::WideHasher(std::uint64_t seed) noexcept {
  static_assert(sizeof(XXH3_state_t) <= sizeof state_ && alignof(XXH3_state_t) <= 64);
  XXH3_64bits_reset_withSeed(new (state_) XXH3_state_t(), seed);
}

void WideHasher::Update(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty()) return;  // A null pointer, even with no bytes, would be an error to xxHash.
  XXH3_64bits_update(StateIn(state_), bytes.data(), bytes.size());
}

std::uint64_t WideHasher::Digest() const noexcept { return XXH3_64bits_digest(StateIn(state_)); }

}  // namespace cirein
