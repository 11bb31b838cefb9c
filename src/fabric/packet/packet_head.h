// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "fabric/transport.h"

/// What travels between the two sides of a connection whose operations are carried out by the
/// target's home: packets, in order, whatever carries them.
namespace cirein::fabric {

/// What a packet is.
struct PacketHead {
  std::uint8_t kind = 0;    ///< A PacketCode.
  std::uint8_t status = 0;  ///< A StatusCode, of an answer.
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;  ///< Of the whole packet.
  std::uint64_t word = 0;
};

enum class PacketCode : std::uint8_t {
  kMessage = 1,
  kRequest,
  kReply,
  kRead,
  kWrite,
  kSwap,
  kAdd,
  kPersist,
  kDone,  ///< How a one-sided operation ended.
};

/// What stands in front of the bytes of a one-sided operation.
struct OperationHead {
  std::uint64_t grant = 0;
  std::uint64_t key = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t word = 0;   ///< What is expected, or to be added.
  std::uint64_t other = 0;  ///< What is desired.
};

/// A packet that is being written: the parts not written yet. `parts` must stay.
class PacketCursor {
 public:
  PacketCursor() = default;
  PacketCursor(const PacketHead& head, Parts parts) : head_(head), parts_(parts) {}

  const PacketHead& head() const { return head_; }
  bool begun() const { return begun_; }
  bool done() const { return begun_ && written_ == head_.bytes; }
  std::uint64_t rest() const { return head_.bytes - written_; }
  /// Copies the next bytes; from then on it has begun.
  void CopyTo(std::span<std::byte> to);
  /// All of its bytes, written or not.
  Parts parts() const { return parts_; }
  /// The same packet when all of it is written.
  PacketCursor Finished() const {
    PacketCursor cursor(head_, {});
    cursor.written_ = head_.bytes;
    cursor.begun_ = true;
    return cursor;
  }
  /// The same packet from where it is now; its bytes not written yet are these.
  PacketCursor Continued(Parts rest) const {
    PacketCursor cursor(head_, rest);
    cursor.written_ = written_;
    cursor.begun_ = begun_;
    return cursor;
  }

 private:
  PacketHead head_;
  Parts parts_;
  std::size_t part_ = 0;
  std::size_t offset_ = 0;
  std::uint64_t written_ = 0;
  bool begun_ = false;
};

}  // namespace cirein::fabric
