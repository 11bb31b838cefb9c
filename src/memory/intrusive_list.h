// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace cirein {

/// A doubly linked list whose links are members of its items: putting, taking and removing never
/// allocate, which inside an allocator they must not. Not thread-safe; owns nothing.
template <typename T, T* T::*kNext, T* T::*kPrevious>
class IntrusiveList {
 public:
  bool empty() const noexcept { return front_ == nullptr; }
  T* front() const noexcept { return front_; }
  T* back() const noexcept { return back_; }
  static T* Next(const T* item) noexcept { return item->*kNext; }

  void PushFront(T* item) noexcept {
    item->*kNext = front_;
    item->*kPrevious = nullptr;
    (front_ == nullptr ? back_ : front_->*kPrevious) = item;
    front_ = item;
  }

  void Remove(T* item) noexcept {
    T* const next = item->*kNext;
    T* const previous = item->*kPrevious;
    (previous == nullptr ? front_ : previous->*kNext) = next;
    (next == nullptr ? back_ : next->*kPrevious) = previous;
    item->*kNext = item->*kPrevious = nullptr;
  }

 private:
  T* front_ = nullptr;
  T* back_ = nullptr;
};

}  // namespace cirein
