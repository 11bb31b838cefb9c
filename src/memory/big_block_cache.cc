// SPDX-License-Identifier: Apache-2.0
#include "memory/big_block_cache.h"

#include <bit>

namespace cirein {
namespace {

// Looking at more than this many of one bin would cost more than it could save.
constexpr int kMaxLooks = 16;

}  // namespace

std::size_t BigBlockCache::BinOf(std::uint64_t mapped_bytes) noexcept {
  // Chunks are never smaller than a page, so the shift is not negative.
  const int shift = static_cast<int>(std::bit_width(mapped_bytes)) - 4;
  return static_cast<std::size_t>(shift) * 8 + (mapped_bytes >> shift) - 8;
}

void BigBlockCache::Put(Chunk* chunk) noexcept {
  bins_[BinOf(chunk->mapped_bytes)].PushFront(chunk);
  by_age_.PushFront(chunk);
  bytes_ += chunk->mapped_bytes;
}

Chunk* BigBlockCache::Take(std::uint64_t mapped_bytes) noexcept {
  const std::uint64_t most = mapped_bytes + mapped_bytes / 4;
  for (std::size_t bin = BinOf(mapped_bytes); bin <= BinOf(most); ++bin) {
    Chunk* best = nullptr;
    int looks = 0;
    for (Chunk* chunk = bins_[bin].front(); chunk != nullptr && looks < kMaxLooks;
         chunk = BinList::Next(chunk), ++looks) {
      const std::uint64_t bytes = chunk->mapped_bytes;
      const bool fits = bytes >= mapped_bytes && bytes <= most;
      if (fits && (best == nullptr || bytes < best->mapped_bytes)) best = chunk;
    }
    if (best != nullptr) {
      Remove(best);
      return best;
    }
  }
  return nullptr;
}

Chunk* BigBlockCache::TakeOldest() noexcept {
  Chunk* const chunk = by_age_.back();
  if (chunk != nullptr) Remove(chunk);
  return chunk;
}

void BigBlockCache::Remove(Chunk* chunk) noexcept {
  bins_[BinOf(chunk->mapped_bytes)].Remove(chunk);
  by_age_.Remove(chunk);
  bytes_ -= chunk->mapped_bytes;
}

}  // namespace cirein
