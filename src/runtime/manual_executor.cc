// SPDX-License-Identifier: Apache-2.0
#include "runtime/manual_executor.h"

#include <fmt/format.h>

#include "runtime/guarded.h"

namespace cirein {

Status ManualExecutor::Submit(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (closed_) return Unavailable(fmt::format("executor '{}' is closed", name_));
  if (queue_.size() >= queue_max_) {
    return ResourceExhausted(
        fmt::format("the queue of executor '{}' is full: {} pieces of work wait", name_,
                    queue_.size()),
        "run what waits before submitting more");
  }
  queue_.push_back(std::move(work));
  return OkStatus();
}

bool ManualExecutor::RunOne() {
  std::function<void()> work;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) return false;
    work = std::move(queue_.front());
    queue_.pop_front();
  }
  if (!RunGuarded(name_, work)) {
    const std::lock_guard lock(mutex_);
    ++failed_;
  }
  return true;
}

std::size_t ManualExecutor::RunAll() {
  std::size_t count = 0;
  while (RunOne()) ++count;
  return count;
}

void ManualExecutor::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

std::size_t ManualExecutor::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

std::uint64_t ManualExecutor::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

}  // namespace cirein
