// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "cirein/status.h"

#include "runtime/executor.h"

namespace cirein {

/// An executor whose work runs when its driver says so, on the driver's thread: for virtual worlds
/// and tests that choose the order of events. Thread-safe; Submit may come from any thread and from
/// work that runs.
class ManualExecutor final : public Executor {
 public:
  static constexpr std::size_t kDefaultQueueMax = 100'000;

  explicit ManualExecutor(std::string name = "manual", std::size_t queue_max = kDefaultQueueMax)
      : name_(std::move(name)), queue_max_(queue_max) {}

  Status Submit(std::function<void()> work) override;

  /// Runs the oldest piece of work; false when there was none.
  bool RunOne();
  /// Runs until none is left, including what is submitted meanwhile; returns how many ran.
  std::size_t RunAll();
  /// Takes no more work from now on; what waits can still be run.
  void Close();

  std::size_t waiting() const;
  /// Pieces of work that threw.
  std::uint64_t failed() const;

 private:
  const std::string name_;
  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::deque<std::function<void()>> queue_;
  bool closed_ = false;
  std::uint64_t failed_ = 0;
};

}  // namespace cirein
