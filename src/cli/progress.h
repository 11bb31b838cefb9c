// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "cli/console.h"
#include "runtime/clock.h"

namespace cirein {

/// A bar on standard error while something long is done; nothing at all off a terminal. It goes
/// away at the end. Add is thread-safe and cheap enough to be called every hundred pieces of work.
class Progress {
 public:
  /// `total` pieces of work are to be done; 0 when nobody knows.
  Progress(Console& console, std::string label, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Add(std::uint64_t done);

 private:
  void Draw(TimePoint now);

  Console& console_;
  const std::string label_;
  const std::uint64_t total_;
  const bool shown_;
  const TimePoint start_;
  std::atomic<std::uint64_t> done_{0};
  std::mutex mutex_;
  TimePoint drawn_;  // Guarded by mutex_, as is the next.
  bool dirty_ = false;
};

}  // namespace cirein
