// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread_group.h"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(ThreadGroup, RunsEachIndexOnceAndTogether) {
  constexpr std::size_t kCount = 8;
  std::vector<std::atomic<int>> ran(kCount);
  std::atomic<std::size_t> arrived{0};
  const Status status = RunThreads(kCount, "load", [&](std::size_t index) {
    ++ran[index];
    ++arrived;
    // Would hang if the bodies ran one after another.
    while (arrived < kCount) std::this_thread::yield();
    return OkStatus();
  });
  EXPECT_TRUE(status.ok());
  for (const auto& count : ran) EXPECT_EQ(count, 1);
  EXPECT_TRUE(RunThreads(0, "none", [](std::size_t) { return Internal("never"); }).ok());
}

TEST(ThreadGroup, ReportsTheFirstError) {
  const Status status = RunThreads(4, "load", [](std::size_t index) {
    return index < 2 ? OkStatus() : InvalidArgument(index == 2 ? "two" : "three");
  });
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "two");
}

TEST(ThreadGroup, TurnsAnExceptionIntoAnError) {
  const Status status = RunThreads(2, "load", [](std::size_t index) -> Status {
    if (index == 1) throw std::runtime_error("bang");
    return OkStatus();
  });
  EXPECT_EQ(status.code(), StatusCode::kAborted);
  EXPECT_EQ(status.message(), "thread load-1 threw: bang");
}

}  // namespace
}  // namespace cirein
