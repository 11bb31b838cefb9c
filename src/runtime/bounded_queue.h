// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace cirein {

/// A queue of bounded capacity between any number of threads, without a lock: a producer that the
/// system suspends in the middle of a push delays nobody but the readers of that one place.
///
/// Each cell carries a turn number which says whose turn it is: `position` for the producer that
/// drew that position, `position + 1` for its consumer, `position + capacity` for the producer one
/// lap later (the scheme is Dmitry Vyukov's). Producers meet only at the tail, consumers only at
/// the head. Order is first in, first out.
template <typename T>
class BoundedQueue {
 public:
  /// Holds at least `capacity` values: the next power of two, and no fewer than 2.
  explicit BoundedQueue(std::size_t capacity)
      : mask_(std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity) - 1),
        cells_(std::make_unique<Cell[]>(mask_ + 1)) {
    for (std::size_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  std::size_t capacity() const noexcept { return mask_ + 1; }

  /// False when the queue is full; then `value` is untouched. Thread-safe, does not block.
  bool TryPush(T&& value) {
    std::size_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[position & mask_];
      const std::size_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == position) {
        // Sequentially consistent on purpose, see MayHaveMore.
        if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_seq_cst)) {
          cell.value = std::move(value);
          cell.turn.store(position + 1, std::memory_order_release);
          return true;
        }
      } else if (IsBefore(turn, position)) {
        return false;
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  /// The oldest value, or nothing when there is none whose push is complete. Thread-safe, does not
  /// block.
  std::optional<T> TryPop() {
    std::size_t position = head_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[position & mask_];
      const std::size_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == position + 1) {
        if (head_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
          std::optional<T> value(std::move(cell.value));
          cell.value = T();  // A moved-from value may still hold something; it must not linger.
          cell.turn.store(position + mask_ + 1, std::memory_order_release);
          return value;
        }
      } else if (IsBefore(turn, position + 1)) {
        return std::nullopt;
      } else {
        position = head_.load(std::memory_order_relaxed);
      }
    }
  }

  /// False only when no push had begun: what a consumer asks between announcing its sleep by a
  /// sequentially consistent store and falling asleep. A producer that pushes and then loads that
  /// announcement, sequentially consistent too, either sees it or is seen here.
  bool MayHaveMore() const noexcept {
    return head_.load(std::memory_order_seq_cst) != tail_.load(std::memory_order_seq_cst);
  }

  /// A count that was true at some moment around the call.
  std::size_t ApproximateSize() const noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    return IsBefore(tail, head) ? 0 : tail - head;
  }

 private:
  static constexpr std::size_t kCacheLine = 64;

  struct Cell {
    std::atomic<std::size_t> turn{0};
    T value{};
  };

  // Positions run for ever and wrap around, so they are compared by their distance.
  static bool IsBefore(std::size_t a, std::size_t b) noexcept {
    return static_cast<std::ptrdiff_t>(a - b) < 0;
  }

  const std::size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
  alignas(kCacheLine) std::atomic<std::size_t> head_{0};
};

}  // namespace cirein
