// SPDX-License-Identifier: Apache-2.0
#include "resp/output_buffer.h"

#include <algorithm>
#include <utility>

namespace cirein::resp {
namespace {

constexpr std::size_t kFirstBytes = 512;
// So many sent pieces may stand before the others.
constexpr std::size_t kMaxSentPieces = 64;

}  // namespace

void OutputBuffer::Append(const DataObject& object) {
  if (object.data_bytes() <= kHeldBytes) {
    Append(object.text());
    return;
  }
  // The tail's memory is kept: what stands before an object is most often its header alone, which
  // costs a string no allocation.
  pieces_.push_back({std::string(tail_.get(), tail_bytes_), object});
  tail_bytes_ = 0;
  size_ += object.data_bytes();
}

// Bytes that were sent make room first, so that a client that always lags a little does not let the
// tail grow. What waits is moved only when as much was sent, so that small replies stay cheap.
void OutputBuffer::MakeRoom(std::size_t bytes) {
  const std::size_t sent = has_pieces() ? 0 : consumed_;
  const std::size_t waiting = tail_bytes_ - sent;
  if (sent >= waiting && capacity_ - waiting >= bytes) {
    if (waiting != 0) std::memmove(tail_.get(), tail_.get() + sent, waiting);
  } else {
    const std::size_t capacity = std::max({kFirstBytes, 2 * capacity_, waiting + bytes});
    auto grown = std::make_unique_for_overwrite<char[]>(capacity);
    if (waiting != 0) std::memcpy(grown.get(), tail_.get() + sent, waiting);
    tail_ = std::move(grown);
    capacity_ = capacity;
  }
  tail_bytes_ = waiting;
  consumed_ -= sent;
}

void OutputBuffer::Truncate(std::size_t size) {
  while (size_ > size) {
    const std::size_t surplus = size_ - size;
    // Bytes of the tail that were sent do not count any more, and stay.
    const std::size_t waiting = tail_bytes_ - (has_pieces() ? 0 : consumed_);
    const std::size_t cut = std::min(surplus, waiting);
    tail_bytes_ -= cut;
    size_ -= cut;
    if (cut == surplus || !has_pieces()) return;
    // The object goes as a whole; the bytes before it, sent ones too, are the tail again.
    const Piece piece = std::move(pieces_.back());
    pieces_.pop_back();
    size_ -= piece.object.data_bytes();
    if (capacity_ < piece.bytes.size()) {
      tail_ = std::make_unique_for_overwrite<char[]>(piece.bytes.size());
      capacity_ = piece.bytes.size();
    }
    piece.bytes.copy(tail_.get(), piece.bytes.size());
    tail_bytes_ = piece.bytes.size();
  }
}

std::size_t OutputBuffer::Parts(std::span<std::span<const std::byte>> parts,
                                std::size_t max_bytes) const {
  std::size_t count = 0;
  std::size_t skipped = consumed_;
  const auto add = [&](std::span<const std::byte> part) {
    const std::size_t skip = std::min(skipped, part.size());
    skipped -= skip;
    part = part.subspan(skip);
    part = part.first(std::min(part.size(), max_bytes));
    if (part.empty()) return true;
    if (count == parts.size()) return false;
    parts[count++] = part;
    max_bytes -= part.size();
    return max_bytes != 0;
  };
  for (std::size_t i = first_piece_; i < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    if (!add(std::as_bytes(std::span(piece.bytes))) || !add(piece.object.data())) return count;
  }
  add(std::as_bytes(std::span(tail_.get(), tail_bytes_)));
  return count;
}

void OutputBuffer::Consume(std::size_t bytes) {
  bytes = std::min(bytes, size_);
  size_ -= bytes;
  if (size_ == 0) {
    Clear();
    return;
  }
  consumed_ += bytes;
  if (has_pieces()) DropSentPieces();
}

void OutputBuffer::DropSentPieces() {
  while (has_pieces() && consumed_ >= pieces_[first_piece_].size()) {
    consumed_ -= pieces_[first_piece_].size();
    pieces_[first_piece_] = Piece{};
    ++first_piece_;
  }
  // Whatever is sent in small steps, a piece is moved at most once for each that was dropped.
  if (!has_pieces()) {
    pieces_.clear();
    first_piece_ = 0;
  } else if (first_piece_ >= kMaxSentPieces && first_piece_ >= pieces_.size() / 2) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_piece_));
    first_piece_ = 0;
  }
}

void OutputBuffer::Clear() {
  pieces_.clear();
  first_piece_ = 0;
  tail_bytes_ = 0;
  consumed_ = 0;
  size_ = 0;
  if (capacity_ > kKeptBytes) Release();
}

void OutputBuffer::Release() {
  if (!empty()) return;
  tail_.reset();
  capacity_ = 0;
  tail_bytes_ = 0;
  consumed_ = 0;
  pieces_ = {};
  first_piece_ = 0;
}

}  // namespace cirein::resp
