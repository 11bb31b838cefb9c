// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// XXH3 with the widest vectors of the processor at hand. Code that is inlined can count on SSE2
/// alone; beyond a few hundred bytes AVX2 and AVX-512 are five times as fast. The values are the
/// same. For hash.h, which everybody else includes.
namespace cirein {

std::uint64_t WideHash64(const void* bytes, std::size_t count, std::uint64_t seed) noexcept;

/// WideHash64 of bytes that come in parts.
class WideHasher {
 public:
  explicit WideHasher(std::uint64_t seed) noexcept;
  void Update(std::span<const std::byte> bytes) noexcept;
  std::uint64_t Digest() const noexcept;

 private:
  // An XXH3_state_t, whose definition would get in the way of the inlined one.
  alignas(64) std::byte state_[576];
};

}  // namespace cirein
