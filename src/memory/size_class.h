// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cirein {

/// The sizes in which arenas hand out blocks: every 16 bytes up to 256, then eight to each
/// doubling, so that no block is more than an eighth larger than what was asked for (but for the
/// smallest). A class is a small number; larger blocks than the largest class are mapped on their
/// own.
inline constexpr std::size_t kMinBlockBytes = 32;
inline constexpr std::size_t kMaxClassBytes = std::size_t{256} << 10;
inline constexpr std::uint8_t kSizeClasses = 95;
/// Stands for "mapped on its own" where a class is kept.
inline constexpr std::uint8_t kNoSizeClass = 255;
/// Blocks up to this size pass through the stripes; beyond it using the block costs so much more
/// than the central lock that keeping some for each stripe would only waste memory.
inline constexpr std::size_t kMaxStripedBytes = std::size_t{32} << 10;

/// The smallest class for `bytes`, which must be at most kMaxClassBytes.
constexpr std::uint8_t SizeClassOf(std::size_t bytes) noexcept {
  if (bytes <= kMinBlockBytes) return 0;
  if (bytes <= 128) return static_cast<std::uint8_t>((bytes + 15) / 16 - 2);
  // Bits above the top four select the doubling, the three below the top one the step in it.
  const int shift = static_cast<int>(std::bit_width(bytes - 1)) - 4;
  return static_cast<std::uint8_t>(7 + (shift - 4) * 8 + static_cast<int>((bytes - 1) >> shift) -
                                   8);
}

namespace internal {
constexpr std::array<std::uint32_t, kSizeClasses> MakeClassBytes() noexcept {
  std::array<std::uint32_t, kSizeClasses> bytes{};
  for (std::uint32_t i = 0; i < kSizeClasses; ++i) {
    bytes[i] = i < 7 ? 32 + 16 * i : (9 + (i - 7) % 8) << (4 + (i - 7) / 8);
  }
  return bytes;
}
}  // namespace internal

/// The size of the blocks of each class.
inline constexpr std::array<std::uint32_t, kSizeClasses> kClassBytes = internal::MakeClassBytes();
static_assert(kClassBytes[0] == kMinBlockBytes && kClassBytes[kSizeClasses - 1] == kMaxClassBytes);

inline constexpr std::uint8_t kStripedClasses = SizeClassOf(kMaxStripedBytes) + 1;

namespace internal {
constexpr std::array<std::uint32_t, kStripedClasses> MakeBatchBlocks() noexcept {
  std::array<std::uint32_t, kStripedClasses> blocks{};
  for (std::size_t i = 0; i < kStripedClasses; ++i) {
    const auto fitting = static_cast<std::uint32_t>(kMaxStripedBytes / kClassBytes[i]);
    blocks[i] = fitting > 32 ? 32 : fitting;
  }
  return blocks;
}
}  // namespace internal

/// How many blocks move between a stripe and the central heap at a time: enough to make the central
/// lock rare, few enough that a stripe hoards little.
inline constexpr std::array<std::uint32_t, kStripedClasses> kBatchBlocks =
    internal::MakeBatchBlocks();

}  // namespace cirein
