// SPDX-License-Identifier: Apache-2.0
#include "cli/build_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "support/project_file.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

TEST(BuildInfoTest, TheVersionIsTheProjects) {
  const Result<std::string> lists = ReadFile(test::ProjectFile("CMakeLists.txt"), 1 << 20);
  ASSERT_TRUE(lists.ok()) << lists.status().ToString();
  EXPECT_THAT(*lists, HasSubstr("project(cirein VERSION " + CurrentBuild().version + " "));
}

TEST(BuildInfoTest, IsShownInEveryForm) {
  const BuildInfo build = CurrentBuild();
  const std::string table = RunForTest({"version"}).out;
  EXPECT_TRUE(table.starts_with("cirein " + build.version + "\n"));
  EXPECT_THAT(table, HasSubstr(build.compiler));
  EXPECT_EQ(RunForTest({"--version"}).out, table);
  EXPECT_THAT(RunForTest({"version", "-o", "json"}).out,
              HasSubstr("{\"name\":\"cirein\",\"version\":\"" + build.version + "\""));
}

}  // namespace
}  // namespace cirein
