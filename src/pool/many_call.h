// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cirein/operations.h"

namespace cirein {

/// Several operations that are one to the caller. The first one to end it calls the callback.
template <typename T>
class ManyCall : public Operation::Impl {
 public:
  explicit ManyCall(std::function<void(Result<T>)> done) : done_(std::move(done)) {}

  bool Cancel() override { return End(Cancelled("the operation was given up")); }
  bool done() const override { return over_.load(); }

  /// One that was begun for it: given up when it ends.
  void Add(Operation part) {
    {
      const std::lock_guard lock(mutex_);
      if (!over_) {
        parts_.push_back(std::move(part));
        return;
      }
    }
    part.Cancel();
  }

  bool End(Result<T> result) {
    std::vector<Operation> parts;
    {
      const std::lock_guard lock(mutex_);
      if (over_.exchange(true)) return false;
      parts.swap(parts_);
    }
    for (Operation& part : parts) part.Cancel();
    const auto done = std::exchange(done_, nullptr);
    done(std::move(result));
    return true;
  }

 private:
  std::atomic<bool> over_{false};        // Set under mutex_.
  std::function<void(Result<T>)> done_;  // Of the one who ends it.
  std::mutex mutex_;
  std::vector<Operation> parts_;  // Guarded by mutex_.
};

}  // namespace cirein
