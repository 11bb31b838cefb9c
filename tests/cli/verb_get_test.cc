// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "cli/object_verbs.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class GetVerbTest : public ObjectVerbTest {};

TEST_P(GetVerbTest, WritesDataOrMetaToStandardOutput) {
  EXPECT_EQ(Run("put", {"k", "--data", "the data", "--meta", "the meta"}).code, 0);
  const CommandRun data = Run("get", {"k"});
  EXPECT_EQ(data.code, 0) << data.err;
  EXPECT_EQ(data.out, "the data");
  EXPECT_EQ(data.err, "");
  EXPECT_EQ(Run("get", {"k", "--meta"}).out, "the meta");
}

TEST_P(GetVerbTest, WritesToAFileWhole) {
  const std::string large(300'000, 'x');
  EXPECT_EQ(RunWithInput("put", {"k"}, large).code, 0);
  ASSERT_OK(WriteFileAtomically(File("out"), "what was there"));
  const CommandRun run = Run("get", {"k", "--to", File("out")});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(*ReadFile(File("out"), 1 << 20), large);
}

TEST_P(GetVerbTest, AMissingObjectIsAnErrorAtOnce) {
  Put("row|there", "x");
  ASSERT_OK(WriteFileAtomically(File("out"), "old"));
  // With a deadline that no test outlasts: it would show if this waited.
  for (const char* const key : {"row|none", "row", "other"}) {
    const CommandRun run = Run("get", {key, "--to", File("out"), "--set", "default.deadline=24h"});
    EXPECT_EQ(run.code, 2) << key;
    EXPECT_THAT(run.err, HasSubstr(key));
    EXPECT_THAT(run.err, HasSubstr("cirein list"));
  }
  EXPECT_EQ(*ReadFile(File("out"), 100), "old");
}

TEST_P(GetVerbTest, ReplacesNoDeviceAndNoDirectory) {
  Put("k", "x");
  for (const std::string& file : {std::string("/dev/null"), File("")}) {
    const CommandRun run = Run("get", {"k", "--to", file});
    EXPECT_EQ(run.code, 1) << file;
    EXPECT_THAT(run.err, HasSubstr("not an ordinary file"));
  }
  EXPECT_EQ(FileBytes("/dev/null").code(), StatusCode::kInvalidArgument);
  const CommandRun nowhere = Run("get", {"k", "--to", File("none/out")});
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_THAT(nowhere.err, HasSubstr(File("none/out")));
}

TEST_P(GetVerbTest, TakesOneKey) {
  EXPECT_EQ(Run("get", {"row|*"}).code, 1);
  EXPECT_EQ(Run("get", {}).code, 1);
}

TEST_P(GetVerbTest, NamesOfAnyBytes) {
  for (const char* const key : {R"(\x00\xff|\*\|)", R"(a\\b|)", R"(\x0a)"}) {
    Put(key, key);
    EXPECT_EQ(Run("get", {key}).out, key);
  }
}

INSTANTIATE_TEST_SUITE_P(Pools, GetVerbTest, PoolsToTest(), PoolToTestName);

}  // namespace
}  // namespace cirein
