// SPDX-License-Identifier: Apache-2.0
#include "cli/demo_files.h"

#include <set>

#include <gtest/gtest.h>

#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

class DemoFilesTest : public ::testing::Test {
 protected:
  void Put(const std::string& path, std::string_view text) {
    const std::string whole = root_.File(path);
    ASSERT_TRUE(MakeDirectories(whole.substr(0, whole.rfind('/'))).ok());
    ASSERT_TRUE(WriteFileAtomically(whole, text).ok());
  }
  std::set<std::string> Names(const DemoLimits& limits = {}) {
    std::set<std::string> names;
    const auto files = PickDemoFiles({root_.path() + "/"}, limits);
    for (const DemoFile& file : files.value()) names.insert(file.name);
    return names;
  }
  const TemporaryDirectory root_ = *TemporaryDirectory::Create();
};

TEST_F(DemoFilesTest, TakesFilesOfAllDepthsButNotSecretsOrEmptyOnes) {
  Put("a", "1");
  Put("deep/er/b", "2");
  Put("empty", "");
  Put("shadow", "x");
  Put("private/c", "x");
  EXPECT_EQ(Names(), (std::set<std::string>{"a", "b"}));
}

TEST_F(DemoFilesTest, KeepsItsLimits) {
  for (int i = 0; i < 20; ++i) Put("file" + std::to_string(i), std::string(100, 'x'));
  Put("large", std::string(10'000, 'x'));
  DemoLimits limits;
  limits.files_per_directory = 5;
  limits.file_bytes = 1000;
  EXPECT_EQ(Names(limits).size(), 5U);
  limits.files_per_directory = 100;
  limits.total_bytes = 350;
  EXPECT_EQ(Names(limits).size(), 3U);
  limits.files = 2;
  EXPECT_EQ(Names(limits).size(), 2U);
}

TEST_F(DemoFilesTest, NothingFoundIsAnError) {
  EXPECT_EQ(PickDemoFiles({root_.path()}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(PickDemoFiles({"/no/such/directory"}).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace cirein
