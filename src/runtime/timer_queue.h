// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/timers.h"

namespace cirein {

/// Work ordered by time: the data structure behind every TimerService. Timers due at the same
/// instant come out in the order they went in, so that virtual time replays. Not thread-safe.
///
/// A 4-ary heap of small entries, and a table of slots that hold the work and know where their
/// entry is: adding and cancelling cost O(log n) without an allocation per timer, and a cancelled
/// timer's work is handed back at once rather than when it would have been due. A deadline is a
/// timer, and nearly all deadlines are cancelled.
class TimerQueue {
 public:
  using TimerId = TimerService::TimerId;
  using Work = std::function<void()>;

  /// Never 0. A slot's ids differ for 2^32 uses.
  TimerId Add(TimePoint when, Work work);
  /// The work of a timer that had not come out, for the caller to destroy where it holds no lock;
  /// null when the id is unknown.
  Work Cancel(TimerId id);
  /// The work due first, if due by `now`; else null.
  Work PopDue(TimePoint now);
  /// When the next is due; kEndOfTime when there is none.
  TimePoint Next() const { return heap_.empty() ? kEndOfTime : heap_.front().when; }

  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    TimePoint when;
    std::uint64_t order;
    std::uint32_t slot;
  };
  struct Slot {
    Work work;
    std::uint32_t generation = 1;  // Never 0, so that no id is 0.
    std::uint32_t place = 0;       // In the heap, or the next free slot.
  };

  static bool IsBefore(const Entry& a, const Entry& b) {
    return a.when != b.when ? a.when < b.when : a.order < b.order;
  }
  void Place(std::size_t place, const Entry& entry);
  void SiftUp(std::size_t place, const Entry& entry);
  void SiftDown(std::size_t place, const Entry& entry);
  Work RemoveAt(std::size_t place);
  std::uint32_t TakeSlot();

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::uint32_t first_free_ = kNoSlot;
  std::uint64_t next_order_ = 0;

  static constexpr std::uint32_t kNoSlot = UINT32_MAX;
};

}  // namespace cirein
