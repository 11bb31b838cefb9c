// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "memory/chunk.h"
#include "memory/intrusive_list.h"
#include "memory/size_class.h"

namespace cirein {

/// The small blocks of an arena: slabs cut into spans, spans into blocks. A span whose blocks are
/// all free goes back to its slab, so memory of one size can serve another later. Every call takes
/// constant time for each block. Not thread-safe; does not map memory: it is given slabs and gives
/// empty ones up.
///
/// Free blocks form chains: linked through LoadLink, ended by null.
class SpanHeap {
 public:
  struct Chain {
    void* head = nullptr;
    std::uint32_t blocks = 0;
  };

  /// Up to `blocks` blocks of the class; fewer, or none, when the slabs are full.
  Chain Take(std::uint8_t size_class, std::uint32_t blocks) noexcept;
  /// Takes one block back.
  void Return(void* block) noexcept;

  /// Makes a slab of fresh memory; the fields of Chunk are set already.
  void AddSlab(Chunk* chunk) noexcept;
  /// An empty slab, which then is no longer the heap's; null when there is none.
  Chunk* TakeEmptySlab() noexcept;
  std::uint64_t empty_slab_bytes() const noexcept { return empty_slabs_ * kChunkBytes; }

 private:
  using SlabList = IntrusiveList<Chunk, &Chunk::next, &Chunk::previous>;
  using SpanList = IntrusiveList<Span, &Span::next, &Span::previous>;

  void* TakeFrom(Span* span, std::uint32_t block_bytes) noexcept;
  Slab* FindSlab(std::uint8_t size_class) noexcept;
  Span* MakeSpan(std::uint8_t size_class) noexcept;
  void EndSpan(Slab* slab, Span* span) noexcept;
  void Enlist(Slab* slab) noexcept;
  void Delist(Slab* slab) noexcept;

  std::array<SpanList, kSizeClasses> spans_with_room_;
  // By the longest run of free pieces but the first, kPieces for empty slabs; full ones are in
  // none.
  std::array<SlabList, kPieces + 1> slabs_;
  std::uint64_t empty_slabs_ = 0;
};

}  // namespace cirein
