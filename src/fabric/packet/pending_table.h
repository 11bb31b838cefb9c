// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/clock.h"

namespace cirein::fabric {

/// What has been asked and is not answered yet, each by its number, in the order in which it was
/// asked, and with an end until which it waits. A number names a place, and places are used again:
/// nothing is allocated for one more unless there never were as many. `Entry` is movable, and as
/// good as new when it is moved from. Not thread-safe.
template <typename Entry>
class PendingTable {
 public:
  /// The number: never 0, and not given again for 2^32 uses of its place. There are fewer than 2^32
  /// entries. It has no end yet.
  std::uint64_t Add(Entry entry) {
    const std::uint32_t place = TakePlace();
    Slot& slot = slots_[place];
    slot.entry = std::move(entry);
    slot.is_used = true;
    Link(place);
    ++size_;
    return std::uint64_t{slot.generation} << 32 | (place + 1);
  }

  /// How many places there are at least where something has this number; 0: it is no number. A
  /// number of one of the other side's, which has at most so many entries, names a place below
  /// that.
  static std::uint64_t PlacesNeeded(std::uint64_t number) {
    return static_cast<std::uint32_t>(number);
  }

  /// Null when there is none: any number may be asked for. Stays until the next Add.
  Entry* Find(std::uint64_t number) {
    return const_cast<Entry*>(std::as_const(*this).Find(number));
  }
  const Entry* Find(std::uint64_t number) const {
    const std::uint32_t place = static_cast<std::uint32_t>(number) - 1;
    if (place >= slots_.size()) return nullptr;
    const Slot& slot = slots_[place];
    return slot.is_used && slot.generation == number >> 32 ? &slot.entry : nullptr;
  }

  /// Until when one waits that is there.
  void SetEnd(std::uint64_t number, TimePoint end) {
    ends_[static_cast<std::uint32_t>(number) - 1] = end;
  }

  /// Takes out one that is there.
  Entry Take(std::uint64_t number) { return TakeFrom(static_cast<std::uint32_t>(number) - 1); }
  /// Takes out the one that was asked first.
  std::optional<Entry> TakeFirst() {
    if (first_ == kNone) return std::nullopt;
    return TakeFrom(first_);
  }

  /// Those whose end has come by `now`: in the order of their ends, and of one end in their own.
  /// They stay, without an end.
  std::vector<std::uint64_t> EndThose(TimePoint now) {
    std::vector<std::uint64_t> due;
    if (NextEnd() > now) return due;
    std::vector<std::uint32_t> places;
    for (std::uint32_t place = first_; place != kNone; place = slots_[place].next) {
      if (ends_[place] <= now && ends_[place] != kEndOfTime) places.push_back(place);
    }
    std::stable_sort(places.begin(), places.end(),
                     [this](std::uint32_t a, std::uint32_t b) { return ends_[a] < ends_[b]; });
    due.reserve(places.size());
    for (const std::uint32_t place : places) {
      due.push_back(std::uint64_t{slots_[place].generation} << 32 | (place + 1));
      ends_[place] = kEndOfTime;
    }
    return due;
  }
  /// When the next of them ends; kEndOfTime when none does.
  TimePoint NextEnd() const {
    const auto next = std::min_element(ends_.begin(), ends_.end());
    return next == ends_.end() ? kEndOfTime : *next;
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Slot {
    Entry entry;
    std::uint32_t generation = 0;
    std::uint32_t next = kNone;  // Of those that are used by their order, or of the free ones.
    std::uint32_t previous = kNone;
    bool is_used = false;
  };

  std::uint32_t TakePlace() {
    if (free_ == kNone) {
      slots_.emplace_back();
      ends_.push_back(kEndOfTime);
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    return std::exchange(free_, slots_[free_].next);
  }
  void Link(std::uint32_t place) {
    slots_[place].previous = last_;
    slots_[place].next = kNone;
    (last_ == kNone ? first_ : slots_[last_].next) = place;
    last_ = place;
  }
  Entry TakeFrom(std::uint32_t place) {
    Slot& slot = slots_[place];
    (slot.previous == kNone ? first_ : slots_[slot.previous].next) = slot.next;
    (slot.next == kNone ? last_ : slots_[slot.next].previous) = slot.previous;
    slot.is_used = false;
    ++slot.generation;
    slot.next = std::exchange(free_, place);
    ends_[place] = kEndOfTime;
    --size_;
    return std::move(slot.entry);
  }

  std::vector<Slot> slots_;
  std::vector<TimePoint> ends_;  // By place, apart from the rest: the next is looked for in all.
  std::uint32_t first_ = kNone;
  std::uint32_t last_ = kNone;
  std::uint32_t free_ = kNone;
  std::size_t size_ = 0;
};

}  // namespace cirein::fabric
