// SPDX-License-Identifier: Apache-2.0
#include "support/library_test.h"

#include <filesystem>
#include <iterator>
#include <thread>

#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein::test {
namespace {

std::size_t CountEntries(const char* directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory),
                                                std::filesystem::directory_iterator()));
}

}  // namespace

std::size_t ThreadCount() { return CountEntries("/proc/self/task"); }

std::size_t FileDescriptorCount() { return CountEntries("/proc/self/fd"); }

Config TestConfig(const std::vector<std::pair<std::string, std::string>>& settings) {
  Config config;
  EXPECT_OK(config.Set("runtime.stuck_after", "5ms"));
  EXPECT_OK(config.Set("log.level", "error"));  // Stuck workers are what tests are about.
  for (const auto& [name, value] : settings) EXPECT_OK(config.Set(name, value));
  return config;
}

LibraryTest::LibraryTest(Settings settings) : config_(TestConfig(settings)) {}

void LibraryTest::SetUp() {
  // A sanitizer starts a thread of its own with the first thread there is.
  std::thread([] {}).join();
  threads_before_ = ThreadCount();
  files_before_ = FileDescriptorCount();
  ASSERT_OK(Start(config_));
  running_ = true;
}

void LibraryTest::FinishNow() {
  ASSERT_TRUE(running_);
  running_ = false;
  Finish();
}

void LibraryTest::TearDown() {
  if (running_) FinishNow();
  EXPECT_EQ(UserCount(), 0);
  // The system forgets a thread a moment after it was joined.
  EXPECT_TRUE(Eventually([this] { return ThreadCount() <= threads_before_; }))
      << ThreadCount() << " threads, before " << threads_before_;
  EXPECT_LE(FileDescriptorCount(), files_before_);
}

Pool LibraryTest::Open(std::string_view url) { return Connect(url).value(); }

}  // namespace cirein::test
