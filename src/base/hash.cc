// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

namespace cirein {

std::uint64_t Checksum64(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Checksummer::Checksummer(std::uint64_t seed) noexcept {
  XXH3_INITSTATE(&state_);
  XXH3_64bits_reset_withSeed(&state_, seed);
}

void Checksummer::Update(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty()) return;  // A null pointer, even with no bytes, would be an error to xxHash.
  XXH3_64bits_update(&state_, bytes.data(), bytes.size());
}

std::uint64_t Checksummer::Digest() const noexcept { return XXH3_64bits_digest(&state_); }

}  // namespace cirein
