// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>

#include "cirein/data_object.h"

namespace cirein::resp {

/// What is to be sent to a client: bytes, and between them the data of objects that are held
/// rather than copied. Not thread-safe; does not block.
class OutputBuffer {
 public:
  /// Data of more than this is held.
  static constexpr std::size_t kHeldBytes = std::size_t{16} << 10;

  void Append(std::string_view bytes) {
    tail_.append(bytes);
    size_ += bytes.size();
  }
  /// The object's data.
  void Append(const DataObject& object);

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

 private:
  // Bytes and then an object's data.
  struct Piece {
    std::string bytes;
    DataObject object;
    std::size_t size() const noexcept { return bytes.size() + object.data_bytes(); }
  };
  std::deque<Piece> pieces_;
  std::string tail_;          // After the last piece.
  std::size_t consumed_ = 0;  // Of the first piece, or else of the tail.
  std::size_t size_ = 0;
};

}  // namespace cirein::resp
