// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// Inlined, because for keys of a few dozen bytes the call would cost as much as the hash.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/wide_hash.h"

/// Hashing and checksums: XXH3 with 64 bits. Fast and well spread; no protection against somebody
/// who chooses the input. The values are part of stored formats (bucket ids, checksums): they are
/// XXH3's and never change.
namespace cirein {

/// The hash of short bytes, such as a key; a seed gives an independent function.
inline std::uint64_t Hash64(std::string_view bytes, std::uint64_t seed = 0) noexcept {
  constexpr std::size_t kInlined = 240;  // Where XXH3 begins to use vectors.
  if (bytes.size() > kInlined) return WideHash64(bytes.data(), bytes.size(), seed);
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

/// The checksum of a whole buffer. A seed that says where the bytes belong makes bytes which stray
/// to another place fail the check.
inline std::uint64_t Checksum64(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept {
  return WideHash64(bytes.data(), bytes.size(), seed);
}

/// Checksum64 of bytes that come in parts. Not thread-safe.
class Checksummer {
 public:
  explicit Checksummer(std::uint64_t seed = 0) noexcept : hasher_(seed) {}
  void Update(std::span<const std::byte> bytes) noexcept { hasher_.Update(bytes); }
  /// The checksum of all bytes so far; more may follow.
  std::uint64_t Digest() const noexcept { return hasher_.Digest(); }

 private:
  WideHasher hasher_;
};

}  // namespace cirein
