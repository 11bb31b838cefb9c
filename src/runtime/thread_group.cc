// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread_group.h"

#include <atomic>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/notification.h"
#include "runtime/thread.h"

namespace cirein {
namespace {

Status CallBody(const std::string& name, std::size_t index,
                const std::function<Status(std::size_t)>& body) {
  constexpr const char* kHint = "catch it in the thread's own code";
  try {
    return body(index);
  } catch (const std::exception& error) {
    return Aborted(fmt::format("thread {}-{} threw: {}", name, index, error.what()), kHint);
  } catch (...) {
    return Aborted(fmt::format("thread {}-{} threw no std::exception", name, index), kHint);
  }
}

}  // namespace

Status RunThreads(std::size_t count, const std::string& name,
                  const std::function<Status(std::size_t)>& body) {
  std::vector<Status> outcomes(count);
  std::vector<std::thread> threads;
  threads.reserve(count);
  Notification start;
  std::atomic<bool> all_there{false};
  Status failure;
  for (std::size_t i = 0; i < count && failure.ok(); ++i) {
    auto thread = StartThread(fmt::format("{}-{}", name, i), [&, i] {
      start.WaitUntil(kEndOfTime);
      if (all_there) outcomes[i] = CallBody(name, i, body);
    });
    if (thread.ok()) {
      threads.push_back(std::move(*thread));
    } else {
      failure = thread.status();
    }
  }
  all_there = failure.ok();
  start.Notify();
  for (std::thread& thread : threads) thread.join();
  for (const Status& outcome : outcomes) {
    if (failure.ok()) failure = outcome;
  }
  return failure;
}

}  // namespace cirein
