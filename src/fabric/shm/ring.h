// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "cirein/status.h"

#include "fabric/packet/packet_head.h"

/// A ring of bytes between two processes, in memory that both may write: one writes pieces into it,
/// the other one reads them. Neither believes what stands in it: each keeps its own place in its
/// own memory, copies what it reads before it looks at it, and checks the copy.
/// docs/design-notes.md, "Rings between processes of one host".
namespace cirein::fabric {

/// Pieces begin at multiples of it; their heads are as long.
inline constexpr std::uint64_t kPieceUnit = 32;
inline constexpr std::uint64_t kRingBytesMin = 4096;
inline constexpr std::uint64_t kRingBytesMax = std::uint64_t{64} << 20;
constexpr bool IsRingSize(std::uint64_t bytes) {
  return bytes >= kRingBytesMin && bytes <= kRingBytesMax && (bytes & (bytes - 1)) == 0;
}

/// What the reader of a ring tells its writer, in the segment's first page.
struct RingControl {
  alignas(64) std::uint64_t head;    ///< How many bytes it has read.
  alignas(64) std::uint32_t asleep;  ///< WakeWish bits of the side that reads this ring.
};
static_assert(sizeof(RingControl) == 128);

/// What a side that blocks wants to be woken for.
enum WakeWish : std::uint32_t { kWakeForPieces = 1, kWakeForRoom = 2 };

/// One piece, copied out of a ring.
struct Piece {
  PacketHead head;
  bool is_first = false;
  /// Of this piece; in the ring, so to be copied out, once, before they are looked at.
  std::span<const std::byte> bytes;
};

/// Belongs to one thread at a time.
class RingWriter {
 public:
  /// `ring` is IsRingSize long and aligned to kPieceUnit; both outlive this.
  RingWriter(std::span<std::byte> ring, RingControl& control) : ring_(ring), control_(&control) {}

  /// How many bytes were written since the beginning.
  std::uint64_t tail() const { return tail_; }
  /// Up to where the reader has read, as far as this side knows.
  std::uint64_t head() const { return head_; }
  /// Looks how far the reader is. DataLoss when that cannot be.
  Status Refresh();
  /// Would a packet of so many bytes fit as a whole, as far as this side knows?
  bool Fits(std::uint64_t bytes) const;
  /// Writes as much of the packet as there is room for; true when anything was.
  bool Write(PacketCursor& packet);
  /// After a write, the other side's wish to be woken for it: true at most once for each wish.
  bool TakeWish(WakeWish wish);

 private:
  std::uint64_t Room() const { return ring_.size() - (tail_ - head_); }
  void WritePiece(PacketCursor& packet, std::uint64_t bytes);

  std::span<std::byte> ring_;
  RingControl* control_;
  std::uint64_t tail_ = 0;
  std::uint64_t head_ = 0;
};

/// Belongs to one thread at a time.
class RingReader {
 public:
  RingReader(std::span<const std::byte> ring, RingControl& control)
      : ring_(ring), control_(&control) {}

  bool HasPiece() const { return LoadWord() != 0; }
  /// The next piece, if there is one; it stays in the ring until Release. DataLoss when it makes no
  /// sense: then nothing more can be read.
  Result<std::optional<Piece>> Next();
  /// Gives the writer the room of all pieces taken so far.
  void Release();
  /// Pieces have been taken that were not released.
  bool has_taken() const { return place_ != released_; }

  /// What this side wants to be woken for, to be followed by a last look at both rings; 0 when it
  /// is awake.
  void SetWish(std::uint32_t wishes);

 private:
  std::uint64_t LoadWord() const;

  std::span<const std::byte> ring_;
  RingControl* control_;
  std::uint64_t place_ = 0;
  std::uint64_t released_ = 0;
};

}  // namespace cirein::fabric
