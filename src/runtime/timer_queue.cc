// SPDX-License-Identifier: Apache-2.0
#include "runtime/timer_queue.h"

#include <algorithm>
#include <utility>

namespace cirein {
namespace {

// Four children to a node: half the depth of a binary heap, and a node's children share cache
// lines.
constexpr std::size_t kArity = 4;

}  // namespace

TimerQueue::TimerId TimerQueue::Add(TimePoint when, Work work) {
  // All that can throw comes first: an exception leaves the queue as it was.
  heap_.emplace_back();
  std::uint32_t slot = 0;
  try {
    slot = TakeSlot();
  } catch (...) {
    heap_.pop_back();
    throw;
  }
  slots_[slot].work = std::move(work);
  SiftUp(heap_.size() - 1, Entry{when, next_order_++, slot});
  return (TimerId{slots_[slot].generation} << 32) | slot;
}

TimerQueue::Work TimerQueue::Cancel(TimerId id) {
  const auto slot = static_cast<std::uint32_t>(id);
  const auto generation = static_cast<std::uint32_t>(id >> 32);
  if (slot >= slots_.size() || slots_[slot].generation != generation) return nullptr;
  // A slot gets a new generation when its timer leaves, so this one is in the heap.
  return RemoveAt(slots_[slot].place);
}

TimerQueue::Work TimerQueue::PopDue(TimePoint now) {
  if (heap_.empty() || heap_.front().when > now) return nullptr;
  return RemoveAt(0);
}

void TimerQueue::Place(std::size_t place, const Entry& entry) {
  heap_[place] = entry;
  slots_[entry.slot].place = static_cast<std::uint32_t>(place);
}

void TimerQueue::SiftUp(std::size_t place, const Entry& entry) {
  while (place > 0) {
    const std::size_t parent = (place - 1) / kArity;
    if (!IsBefore(entry, heap_[parent])) break;
    Place(place, heap_[parent]);
    place = parent;
  }
  Place(place, entry);
}

void TimerQueue::SiftDown(std::size_t place, const Entry& entry) {
  for (;;) {
    const std::size_t first = place * kArity + 1;
    if (first >= heap_.size()) break;
    const std::size_t end = std::min(first + kArity, heap_.size());
    std::size_t least = first;
    for (std::size_t child = first + 1; child < end; ++child) {
      if (IsBefore(heap_[child], heap_[least])) least = child;
    }
    if (!IsBefore(heap_[least], entry)) break;
    Place(place, heap_[least]);
    place = least;
  }
  Place(place, entry);
}

TimerQueue::Work TimerQueue::RemoveAt(std::size_t place) {
  const std::uint32_t index = heap_[place].slot;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (place < heap_.size()) {
    // The last entry fills the hole, and may belong above it or below it.
    if (place > 0 && IsBefore(last, heap_[(place - 1) / kArity])) {
      SiftUp(place, last);
    } else {
      SiftDown(place, last);
    }
  }
  Slot& slot = slots_[index];
  Work work = std::exchange(slot.work, nullptr);
  if (++slot.generation == 0) slot.generation = 1;
  slot.place = first_free_;
  first_free_ = index;
  return work;
}

std::uint32_t TimerQueue::TakeSlot() {
  if (first_free_ != kNoSlot) {
    const std::uint32_t slot = first_free_;
    first_free_ = slots_[slot].place;
    return slot;
  }
  slots_.emplace_back();
  return static_cast<std::uint32_t>(slots_.size() - 1);
}

}  // namespace cirein
