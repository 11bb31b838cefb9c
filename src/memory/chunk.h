// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cirein/arena.h"

#include "memory/pages.h"

namespace cirein {

/// Stands at the begin of all memory an arena maps, aligned to kChunkBytes, so that masking a
/// block's address gives it. There are two kinds: slabs of small blocks, and single big blocks.
struct Chunk {
  Arena::State* owner;
  std::uint64_t mapped_bytes;
  /// What the registrar gave for this memory; 0 when it does not know it.
  std::atomic<std::uint64_t> registration;
  // Links of the list of its kind and size, and of the list by age (big ones in the cache only).
  Chunk* next;
  Chunk* previous;
  Chunk* newer;
  Chunk* older;

  static Chunk* Of(const void* block) noexcept {
    return reinterpret_cast<Chunk*>(reinterpret_cast<std::uintptr_t>(block) &
                                    ~(std::uintptr_t{kChunkBytes} - 1));
  }
};

/// A big block begins this far behind the begin of its chunk.
inline constexpr std::size_t kBigBlockOffset = 64;
static_assert(sizeof(Chunk) <= kBigBlockOffset);

inline void* BigBlockOf(Chunk* chunk) noexcept {
  return reinterpret_cast<std::byte*>(chunk) + kBigBlockOffset;
}

/// A slab is cut into this many pieces; runs of them become spans, each for blocks of one class.
inline constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
inline constexpr std::uint32_t kPieces = kChunkBytes / kPieceBytes;

/// A run of pieces that holds blocks of one class. Free blocks are linked through their first
/// bytes; those that were never used begin at `fresh`, so that their pages are not touched before.
struct Span {
  void* free;
  Span* next;
  Span* previous;
  std::uint32_t fresh;  ///< Offsets from the chunk's begin.
  std::uint32_t end;
  std::uint32_t live;  ///< Blocks handed out.
  std::uint8_t size_class;
  std::uint8_t first_piece;
  std::uint8_t pieces;

  bool HasRoom(std::uint32_t block_bytes) const noexcept {
    return free != nullptr || end - fresh >= block_bytes;
  }
};

struct Slab : Chunk {
  std::uint32_t free_pieces;  ///< One bit for each.
  std::array<std::uint8_t, kPieces> span_of_piece;
  std::array<Span, kPieces> spans;  ///< By first piece.
};
/// The first piece gives up this much to the slab's header.
inline constexpr std::size_t kSlabHeaderBytes = 4096;
static_assert(sizeof(Slab) <= kSlabHeaderBytes && kPieces == 32);

}  // namespace cirein
