// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/ring.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

namespace cirein::fabric {
namespace {

// The word that publishes a piece: its length, then from bit 32 its kind, flags and status.
constexpr unsigned kKindShift = 32;
constexpr unsigned kFlagsShift = 40;
constexpr unsigned kStatusShift = 48;
constexpr std::uint64_t kFlagFirst = 1;

// After the word: number, length of the whole, a word.
constexpr std::size_t kRest = 3;

std::uint64_t Padded(std::uint64_t bytes) { return (bytes + kPieceUnit - 1) & ~(kPieceUnit - 1); }

// A ring is made of such words by convention, at multiples of kPieceUnit.
std::uint64_t* WordAt(std::byte* place) {
  return reinterpret_cast<std::uint64_t*>(place);  // NOLINT
}

}  // namespace

Status RingWriter::Refresh() {
  const std::uint64_t head =
      std::atomic_ref<std::uint64_t>(control_->head).load(std::memory_order_acquire);
  if (head - head_ > tail_ - head_ || head % kPieceUnit != 0) {
    return DataLoss(fmt::format("the other side says it has read {} bytes of {}", head, tail_));
  }
  head_ = head;
  return OkStatus();
}

bool RingWriter::Fits(std::uint64_t bytes) const {
  // At most cut in two by the ring's end; and the word of zeros behind it.
  constexpr std::uint64_t kAround = 5 * kPieceUnit;
  return bytes <= ring_.size() - kAround && bytes + kAround <= Room();
}

bool RingWriter::Write(PacketCursor& packet) {
  bool wrote = false;
  while (!packet.done()) {
    const std::uint64_t room = Room();
    if (room < 2 * kPieceUnit) break;
    const std::uint64_t left = packet.rest();
    const std::uint64_t to_end = ring_.size() - (tail_ & (ring_.size() - 1));
    const std::uint64_t bytes = std::min({left, to_end - kPieceUnit, room - 2 * kPieceUnit});
    // A head alone is worth its place only where nothing else fits before the ring's end.
    if (bytes == 0 && left > 0 && to_end != kPieceUnit) break;
    WritePiece(packet, bytes);
    wrote = true;
  }
  return wrote;
}

void RingWriter::WritePiece(PacketCursor& packet, std::uint64_t bytes) {
  const std::uint64_t mask = ring_.size() - 1;
  std::byte* const place = ring_.data() + (tail_ & mask);
  const PacketHead& head = packet.head();
  const std::array<std::uint64_t, kRest> rest = {head.number, head.bytes, head.word};
  std::memcpy(place + sizeof(std::uint64_t), rest.data(), sizeof rest);
  const bool is_first = !packet.begun();
  packet.CopyTo({place + kPieceUnit, bytes});
  const std::uint64_t next = tail_ + kPieceUnit + Padded(bytes);
  std::atomic_ref<std::uint64_t>(*WordAt(ring_.data() + (next & mask)))
      .store(0, std::memory_order_relaxed);
  const std::uint64_t word = bytes | std::uint64_t{head.kind} << kKindShift |
                             (is_first ? kFlagFirst : 0) << kFlagsShift |
                             std::uint64_t{head.status} << kStatusShift;
  std::atomic_ref<std::uint64_t>(*WordAt(place)).store(word, std::memory_order_release);
  tail_ = next;
}

bool RingWriter::TakeWish(WakeWish wish) {
  // Either this look finds the wish, or the look that follows the wish finds what was written.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::atomic_ref<std::uint32_t> asleep(control_->asleep);
  if ((asleep.load(std::memory_order_relaxed) & wish) == 0) return false;
  return (asleep.exchange(0, std::memory_order_acq_rel) & wish) != 0;
}

std::uint64_t RingReader::LoadWord() const {
  auto* const place = const_cast<std::byte*>(ring_.data());  // NOLINT: it is only loaded
  return std::atomic_ref<std::uint64_t>(*WordAt(place + (place_ & (ring_.size() - 1))))
      .load(std::memory_order_acquire);
}

Result<std::optional<Piece>> RingReader::Next() {
  const std::uint64_t word = LoadWord();
  if (word == 0) return std::optional<Piece>();
  const std::uint64_t at = place_ & (ring_.size() - 1);
  Piece piece;
  const std::uint64_t bytes = word & UINT32_MAX;
  piece.head.kind = static_cast<std::uint8_t>(word >> kKindShift);
  const auto flags = static_cast<std::uint8_t>(word >> kFlagsShift);
  piece.head.status = static_cast<std::uint8_t>(word >> kStatusShift);
  const std::uint64_t next = kPieceUnit + Padded(bytes);
  const std::uint64_t unread = place_ - released_;
  // One word behind the piece is never a piece's: what is not released has room for it too.
  if (bytes > ring_.size() - at - kPieceUnit || unread + next > ring_.size() - kPieceUnit ||
      piece.head.kind == 0 || flags > kFlagFirst || word >> (kStatusShift + 8) != 0) {
    return DataLoss(
        fmt::format("a piece at {} has the word {:#x}, which makes no sense", at, word));
  }
  piece.is_first = flags == kFlagFirst;
  std::array<std::uint64_t, kRest> rest{};
  std::memcpy(rest.data(), ring_.data() + at + sizeof word, sizeof rest);
  piece.head.number = rest[0];
  piece.head.bytes = rest[1];
  piece.head.word = rest[2];
  piece.bytes = ring_.subspan(at + kPieceUnit, bytes);
  place_ += next;
  return std::optional<Piece>(piece);
}

void RingReader::Release() {
  released_ = place_;
  std::atomic_ref<std::uint64_t>(control_->head).store(released_, std::memory_order_release);
}

void RingReader::SetWish(std::uint32_t wishes) {
  std::atomic_ref<std::uint32_t>(control_->asleep).store(wishes, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace cirein::fabric
