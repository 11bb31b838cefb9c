// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/data_object.h"

namespace cirein::resp {

/// What is to be sent to a client: bytes, and between them the data of objects that are held
/// rather than copied. It keeps its memory for the next replies, so that a small reply needs none.
/// Not thread-safe; does not block.
class OutputBuffer {
 public:
  /// Data of more than this is held.
  static constexpr std::size_t kHeldBytes = std::size_t{16} << 10;
  /// At most so much memory stays when nothing waits.
  static constexpr std::size_t kKeptBytes = std::size_t{64} << 10;

  OutputBuffer() = default;
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;

  void Append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(Room(bytes.size()), bytes.data(), bytes.size());
    Added(bytes.size());
  }
  /// The object's data.
  void Append(const DataObject& object);

  /// Where the next `bytes` bytes go, to be written and then told by Added, which may be fewer.
  /// Valid until the next call.
  char* Room(std::size_t bytes) {
    if (capacity_ - tail_bytes_ < bytes) MakeRoom(bytes);
    return tail_.get() + tail_bytes_;
  }
  void Added(std::size_t bytes) noexcept {
    tail_bytes_ += bytes;
    size_ += bytes;
  }

  /// Bytes that wait.
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// Takes back what was appended after it held `size` bytes, none of which was consumed since.
  void Truncate(std::size_t size);

  /// The first parts that wait, at most `max_parts` and `max_bytes`; valid until the next call.
  /// How many.
  std::size_t Parts(std::span<std::span<const std::byte>> parts, std::size_t max_bytes) const;
  /// So many bytes were sent.
  void Consume(std::size_t bytes);
  void Clear();
  /// Gives back the memory it keeps, if nothing waits: for a client that is idle.
  void Release();

 private:
  // Bytes and then an object's data.
  struct Piece {
    std::string bytes;
    DataObject object;
    std::size_t size() const noexcept { return bytes.size() + object.data_bytes(); }
  };

  void MakeRoom(std::size_t bytes);
  void DropSentPieces();
  bool has_pieces() const noexcept { return first_piece_ != pieces_.size(); }

  std::vector<Piece> pieces_;
  std::size_t first_piece_ = 0;   // Those before it were sent.
  std::unique_ptr<char[]> tail_;  // Bytes after the last piece.
  std::size_t tail_bytes_ = 0;
  std::size_t capacity_ = 0;  // Of the tail.
  std::size_t consumed_ = 0;  // Of the first piece, or else of the tail.
  std::size_t size_ = 0;
};

}  // namespace cirein::resp
