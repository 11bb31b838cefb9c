// SPDX-License-Identifier: Apache-2.0
#include "memory/span_heap.h"

#include <bit>

namespace cirein {
namespace {

constexpr std::uint32_t kAllPieces = 0xFFFF'FFFF;

// How many pieces make a span of each class: the fewest that waste at most a sixteenth at the end,
// else those that waste least.
constexpr std::array<std::uint8_t, kSizeClasses> MakeSpanPieces() {
  constexpr std::uint32_t kMaxPieces = 8;
  std::array<std::uint8_t, kSizeClasses> result{};
  for (std::size_t i = 0; i < kSizeClasses; ++i) {
    std::size_t best_waste_ppm = 1'000'000;
    for (std::uint32_t pieces = 1; pieces <= kMaxPieces; ++pieces) {
      const std::size_t bytes = pieces * kPieceBytes;
      if (bytes < kClassBytes[i]) continue;
      const std::size_t waste_ppm = bytes % kClassBytes[i] * 1'000'000 / bytes;
      if (waste_ppm >= best_waste_ppm) continue;
      best_waste_ppm = waste_ppm;
      result[i] = static_cast<std::uint8_t>(pieces);
      if (waste_ppm <= 1'000'000 / 16) break;
    }
  }
  return result;
}
constexpr auto kSpanPieces = MakeSpanPieces();

// Piece 0 is short of the slab's header, so only spans of one piece, of blocks that leave no great
// part of it unused, begin there.
constexpr std::uint32_t kFirstPiece = 1;
constexpr bool FitsFirstPiece(std::uint8_t size_class) noexcept {
  return kSpanPieces[size_class] == 1 && kClassBytes[size_class] <= kPieceBytes / 8;
}

// Bits i at which a run of `length` set bits begins.
constexpr std::uint32_t RunsOf(std::uint32_t bits, std::uint32_t length) noexcept {
  for (std::uint32_t i = 1; i < length; ++i) bits &= bits >> 1;
  return bits;
}

// Where among `runs` a span begins: single pieces gather at the low end, so that few of them in use
// leave the rest of the slab for long runs.
constexpr std::uint32_t PlaceOf(std::uint32_t runs, std::uint32_t pieces) noexcept {
  return static_cast<std::uint32_t>(pieces == 1 ? std::countr_zero(runs)
                                                : 31 - std::countl_zero(runs));
}

constexpr std::uint32_t LongestRun(std::uint32_t bits) noexcept {
  std::uint32_t length = 0;
  for (; bits != 0; bits &= bits >> 1) ++length;
  return length;
}

constexpr std::uint32_t PieceMask(std::uint32_t first, std::uint32_t pieces) noexcept {
  return (kAllPieces >> (kPieces - pieces)) << first;
}

constexpr std::uint32_t ListOf(std::uint32_t free_pieces) noexcept {
  if (free_pieces == kAllPieces) return kPieces;
  return LongestRun(free_pieces & ~kFirstPiece);
}

Slab* SlabOf(const void* memory) noexcept { return static_cast<Slab*>(Chunk::Of(memory)); }

std::byte* At(Slab* slab, std::uint32_t offset) noexcept {
  return reinterpret_cast<std::byte*>(slab) + offset;
}

}  // namespace

SpanHeap::Chain SpanHeap::Take(std::uint8_t size_class, std::uint32_t blocks) noexcept {
  const std::uint32_t block_bytes = kClassBytes[size_class];
  SpanList& spans = spans_with_room_[size_class];
  Chain chain;
  while (chain.blocks < blocks) {
    Span* const span = spans.empty() ? MakeSpan(size_class) : spans.front();
    if (span == nullptr) break;
    while (chain.blocks < blocks && span->HasRoom(block_bytes)) {
      void* const block = TakeFrom(span, block_bytes);
      StoreLink(block, chain.head);
      chain.head = block;
      ++chain.blocks;
    }
    if (!span->HasRoom(block_bytes)) spans.Remove(span);
  }
  return chain;
}

void* SpanHeap::TakeFrom(Span* span, std::uint32_t block_bytes) noexcept {
  ++span->live;
  void* block = span->free;
  if (block != nullptr) {
    span->free = LoadLink(block);
  } else {
    block = At(SlabOf(span), span->fresh);
    span->fresh += block_bytes;
  }
  return block;
}

void SpanHeap::Return(void* block) noexcept {
  Slab* const slab = SlabOf(block);
  const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(block) - At(slab, 0));
  Span* const span = &slab->spans[slab->span_of_piece[offset / kPieceBytes]];
  const bool was_full = !span->HasRoom(kClassBytes[span->size_class]);
  StoreLink(block, span->free);
  span->free = block;
  --span->live;
  if (was_full) spans_with_room_[span->size_class].PushFront(span);
  if (span->live == 0) EndSpan(slab, span);
}

Slab* SpanHeap::FindSlab(std::uint8_t size_class) noexcept {
  // The shortest run that serves, so that long ones stay for those who need them.
  const std::uint32_t pieces = kSpanPieces[size_class];
  for (std::uint32_t list = FitsFirstPiece(size_class) ? 0 : pieces; list < slabs_.size(); ++list) {
    if (!slabs_[list].empty()) return static_cast<Slab*>(slabs_[list].front());
  }
  return nullptr;
}

Span* SpanHeap::MakeSpan(std::uint8_t size_class) noexcept {
  Slab* const slab = FindSlab(size_class);
  if (slab == nullptr) return nullptr;
  const std::uint32_t pieces = kSpanPieces[size_class];
  const std::uint32_t usable = slab->free_pieces & ~(FitsFirstPiece(size_class) ? 0 : kFirstPiece);
  const std::uint32_t first = PlaceOf(RunsOf(usable, pieces), pieces);
  Delist(slab);
  slab->free_pieces &= ~PieceMask(first, pieces);
  Enlist(slab);
  for (std::uint32_t i = first; i < first + pieces; ++i) {
    slab->span_of_piece[i] = static_cast<std::uint8_t>(first);
  }
  Span* const span = &slab->spans[first];
  *span = {.free = nullptr,
           .next = nullptr,
           .previous = nullptr,
           .fresh = static_cast<std::uint32_t>(first == 0 ? kSlabHeaderBytes : first * kPieceBytes),
           .end = static_cast<std::uint32_t>((first + pieces) * kPieceBytes),
           .live = 0,
           .size_class = size_class,
           .first_piece = static_cast<std::uint8_t>(first),
           .pieces = static_cast<std::uint8_t>(pieces)};
  spans_with_room_[size_class].PushFront(span);
  return span;
}

void SpanHeap::EndSpan(Slab* slab, Span* span) noexcept {
  spans_with_room_[span->size_class].Remove(span);
  Delist(slab);
  slab->free_pieces |= PieceMask(span->first_piece, span->pieces);
  Enlist(slab);
}

void SpanHeap::Enlist(Slab* slab) noexcept {
  if (slab->free_pieces == 0) return;
  const std::uint32_t list = ListOf(slab->free_pieces);
  slabs_[list].PushFront(slab);
  if (list == kPieces) ++empty_slabs_;
}

void SpanHeap::Delist(Slab* slab) noexcept {
  if (slab->free_pieces == 0) return;
  const std::uint32_t list = ListOf(slab->free_pieces);
  slabs_[list].Remove(slab);
  if (list == kPieces) --empty_slabs_;
}

void SpanHeap::AddSlab(Chunk* chunk) noexcept {
  auto* const slab = static_cast<Slab*>(chunk);
  UnpoisonMemory(slab, kSlabHeaderBytes);
  slab->free_pieces = kAllPieces;
  Enlist(slab);
}

Chunk* SpanHeap::TakeEmptySlab() noexcept {
  Chunk* const chunk = slabs_[kPieces].front();
  if (chunk != nullptr) Delist(static_cast<Slab*>(chunk));
  return chunk;
}

}  // namespace cirein
