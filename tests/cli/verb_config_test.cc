// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/config.h"

#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class VerbConfigTest : public ::testing::Test {
 protected:
  std::string Write(std::string_view text) {
    EXPECT_TRUE(WriteFileAtomically(directory_.File("cirein.toml"), text).ok());
    return directory_.File("cirein.toml");
  }
  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
};

TEST_F(VerbConfigTest, ShowsEverySettingWithItsOrigin) {
  const CommandRun run =
      RunForTest({"config", "-o", "csv", "--set", "memory.stripes=8"}, {"CIREIN_LOG_LEVEL=info"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.out, HasSubstr("\nmemory.stripes,8,64,--set,"));
  EXPECT_THAT(run.out, HasSubstr("\nlog.level,info,warn,CIREIN_LOG_LEVEL,"));
  for (const ConfigKey& key : Config::Keys()) {
    EXPECT_THAT(run.out, HasSubstr("\n" + std::string(key.name) + ","));
  }
}

TEST_F(VerbConfigTest, TheExampleIsGoodAndHasEverySetting) {
  const std::string example = RunForTest({"config", "example"}).out;
  EXPECT_EQ(RunForTest({"config", "check", Write(example)}).code, 0);
  // With the comment signs taken away from the settings it is the defaults.
  std::string full;
  for (std::size_t begin = 0; begin < example.size();) {
    const std::size_t end = example.find('\n', begin);
    std::string line = example.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("# ") && line.find(" = ") != std::string::npos) line.erase(0, 2);
    full += line + "\n";
  }
  const CommandRun run = RunForTest({"config", "check", Write(full), "-o", "csv"});
  EXPECT_EQ(run.code, 0) << run.err;
  for (const ConfigKey& key : Config::Keys()) {
    EXPECT_THAT(run.out, HasSubstr("\n" + std::string(key.name) + ","));
  }
  Config config;
  ASSERT_TRUE(config.AddToml(full, "example").ok());
  EXPECT_TRUE(config == Config());
}

TEST_F(VerbConfigTest, CheckTellsWhereAFileIsWrong) {
  const std::string path = Write("[memory]\nlimt = \"1GiB\"\n");
  const CommandRun run = RunForTest({"config", "check", path});
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr(path + ":2:1"));
  EXPECT_THAT(run.err, HasSubstr("memory.limit"));
}

TEST_F(VerbConfigTest, WrongUse) {
  EXPECT_EQ(RunForTest({"config", "check"}).code, 1);
  EXPECT_EQ(RunForTest({"config", "check", "/no/such/file"}).code, 2);
  EXPECT_EQ(RunForTest({"config", "show", "file"}).code, 1);
  const CommandRun json = RunForTest({"config", "example", "-o", "json"});
  EXPECT_EQ(json.code, 1);
  EXPECT_EQ(json.out, "");
  EXPECT_THAT(json.err, HasSubstr("TOML only"));
  const CommandRun run = RunForTest({"config", "chek"});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("did you mean \"check\"?"));
}

}  // namespace
}  // namespace cirein
