// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/library.h"
#include "cirein/pool.h"

namespace cirein::test {

/// What the process holds of the system's things; a library that was finished has given all back.
std::size_t ThreadCount();
std::size_t FileDescriptorCount();

/// A test that runs with the library started, and fails when after Finish it leaves a thread or a
/// file descriptor behind, or a user of the library.
class LibraryTest : public testing::Test {
 protected:
  /// Settings as name and value, over those that make tests quick.
  using Settings = std::vector<std::pair<std::string, std::string>>;
  explicit LibraryTest(Settings settings = {});

  void SetUp() override;
  void TearDown() override;

  /// Ends the library early; TearDown then only checks.
  void FinishNow();

  /// A pool that must be there.
  static Pool Open(std::string_view url = "local:/test");

 private:
  Config config_;
  std::size_t threads_before_ = 0;
  std::size_t files_before_ = 0;
  bool running_ = false;
};

/// Settings for tests: blocked callbacks are noticed at once.
Config TestConfig(const std::vector<std::pair<std::string, std::string>>& settings = {});

}  // namespace cirein::test
