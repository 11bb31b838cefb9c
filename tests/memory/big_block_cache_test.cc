// SPDX-License-Identifier: Apache-2.0
#include "memory/big_block_cache.h"

#include <gtest/gtest.h>

namespace cirein {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

Chunk ChunkOf(std::uint64_t bytes) {
  return {nullptr, bytes, 0, nullptr, nullptr, nullptr, nullptr};
}

TEST(BigBlockCache, GivesBackWhatFitsWithinAQuarter) {
  BigBlockCache cache;
  Chunk small = ChunkOf(8 * kMiB);
  Chunk large = ChunkOf(10 * kMiB);
  cache.Put(&small);
  cache.Put(&large);
  EXPECT_EQ(cache.bytes(), 18 * kMiB);
  EXPECT_EQ(cache.Take(6 * kMiB), nullptr);       // 8 MiB would be a third more.
  EXPECT_EQ(cache.Take(10 * kMiB + 1), nullptr);  // Nothing is so large.
  EXPECT_EQ(cache.Take(8 * kMiB), &small);
  EXPECT_EQ(cache.Take(8 * kMiB), &large);
  EXPECT_EQ(cache.Take(8 * kMiB), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(BigBlockCache, PrefersTheSmallestThatFits) {
  BigBlockCache cache;
  Chunk chunks[] = {ChunkOf(100 * kMiB), ChunkOf(98 * kMiB), ChunkOf(99 * kMiB)};
  for (Chunk& chunk : chunks) cache.Put(&chunk);
  EXPECT_EQ(cache.Take(98 * kMiB), &chunks[1]);
  EXPECT_EQ(cache.Take(98 * kMiB), &chunks[2]);
  EXPECT_EQ(cache.Take(98 * kMiB), &chunks[0]);
}

TEST(BigBlockCache, TheOldestGoesFirst) {
  BigBlockCache cache;
  Chunk chunks[] = {ChunkOf(1 * kMiB), ChunkOf(64 * kMiB), ChunkOf(4096)};
  for (Chunk& chunk : chunks) cache.Put(&chunk);
  EXPECT_EQ(cache.Take(64 * kMiB), &chunks[1]);
  EXPECT_EQ(cache.TakeOldest(), &chunks[0]);
  EXPECT_EQ(cache.TakeOldest(), &chunks[2]);
  EXPECT_EQ(cache.TakeOldest(), nullptr);
}

TEST(BigBlockCache, HasAPlaceForEverySize) {
  BigBlockCache cache;
  for (std::uint64_t bytes = 4096; bytes != 0; bytes <<= 1) {
    Chunk chunk = ChunkOf(bytes);
    cache.Put(&chunk);
    EXPECT_EQ(cache.TakeOldest(), &chunk) << bytes;
  }
}

}  // namespace
}  // namespace cirein
