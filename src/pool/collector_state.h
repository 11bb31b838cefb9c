// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "cirein/library.h"
#include "cirein/result_collector.h"

namespace cirein {

class Notification;

/// What a collector and the operations that report to it share. Thread-safe.
class ResultCollector::State : public std::enable_shared_from_this<State> {
 public:
  /// Which entry, of the entries since which Clear.
  struct Ticket {
    std::uint64_t generation;
    std::size_t index;
  };

  /// A new entry that waits for its result.
  Ticket Add(Kind kind, Pattern pattern);
  /// Has its result written by `fill`, under the lock; discarded if cleared meanwhile.
  void Fill(const Ticket& ticket, const std::function<void(Entry&)>& fill);

  Status Wait(Deadline deadline);
  std::size_t pending() const;
  std::vector<Entry> results() const;
  void Clear();

 private:
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  std::size_t pending_ = 0;
  std::uint64_t generation_ = 0;
  std::vector<std::shared_ptr<Notification>> waiting_;
};

}  // namespace cirein
