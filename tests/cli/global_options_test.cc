// SPDX-License-Identifier: Apache-2.0
#include "cli/global_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

TEST(GlobalOptionsTest, FlagsWinOverEnvironmentOverFile) {
  const TemporaryDirectory directory = *TemporaryDirectory::Create();
  const std::string path = directory.File("cirein.toml");
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "[memory]\nlimit = \"1MiB\"\nstripes = 2\n"
                                  "[log]\nlevel = \"info\"\n")
                  .ok());
  GlobalOptions options;
  options.config_file = path;
  options.settings = {"memory.limit=3MiB"};
  options.log_level = "debug";
  const std::vector<std::string> environment = {"CIREIN_MEMORY_LIMIT=2MiB",
                                                "CIREIN_MEMORY_STRIPES=4"};
  const Result<Config> config = LoadConfig(options, environment);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->GetText("memory.limit"), "3MiB");
  EXPECT_EQ(config->Origin("memory.limit"), "--set");
  EXPECT_EQ(config->GetInteger("memory.stripes"), 4);
  EXPECT_EQ(config->Origin("memory.stripes"), "CIREIN_MEMORY_STRIPES");
  EXPECT_EQ(config->Origin("log.level"), "--log-level");
}

TEST(GlobalOptionsTest, TheFlagsFileWinsOverTheVariables) {
  const TemporaryDirectory directory = *TemporaryDirectory::Create();
  ASSERT_TRUE(WriteFileAtomically(directory.File("a"), "[memory]\nstripes = 2\n").ok());
  ASSERT_TRUE(WriteFileAtomically(directory.File("b"), "[memory]\nstripes = 8\n").ok());
  const std::vector<std::string> environment = {"CIREIN_CONFIG=" + directory.File("b")};
  GlobalOptions options;
  EXPECT_EQ(LoadConfig(options, environment)->GetInteger("memory.stripes"), 8);
  options.config_file = directory.File("a");
  EXPECT_EQ(LoadConfig(options, environment)->GetInteger("memory.stripes"), 2);
}

TEST(GlobalOptionsTest, ErrorsSayWhere) {
  GlobalOptions options;
  options.settings = {"memory.limit"};
  EXPECT_THAT(LoadConfig(options, {}).status().ToString(), HasSubstr("has no value"));
  options.settings = {"memory.limt=1"};
  EXPECT_THAT(LoadConfig(options, {}).status().ToString(), HasSubstr("\"memory.limit\""));
  options.settings = {};
  options.config_file = "/no/such/file.toml";
  EXPECT_EQ(LoadConfig(options, {}).status().code(), StatusCode::kNotFound);
}

TEST(GlobalOptionsTest, FindsVariablesByTheirWholeName) {
  const std::vector<std::string> environment = {"NO_COLORS=1", "TERM=xterm=x"};
  EXPECT_EQ(FindVariable(environment, "NO_COLOR"), std::nullopt);
  EXPECT_EQ(FindVariable(environment, "TERM"), "xterm=x");
}

}  // namespace
}  // namespace cirein
