// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "resp/command.h"

namespace cirein::resp {

/// The commands that took longest, the latest last: what SLOWLOG shows. Thread-safe.
class SlowLog {
 public:
  struct Entry {
    std::uint64_t id = 0;
    std::int64_t unix_s = 0;
    std::int64_t usec = 0;
    std::vector<std::string> args;  ///< Cut to what Redis keeps of them.
    std::string address;
    std::string name;
  };

  /// `entry.id` and `args` are set here; at most `max_entries` are kept. Passwords are not: AUTH is
  /// left out, and those of other commands are shown as "(redacted)".
  void Add(Entry entry, Args args, std::size_t max_entries);
  /// The latest first, at most `count`.
  std::vector<Entry> Latest(std::size_t count) const;
  std::size_t size() const;
  void Reset();

 private:
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  std::uint64_t next_id_ = 0;
};

}  // namespace cirein::resp
