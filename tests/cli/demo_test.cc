// SPDX-License-Identifier: Apache-2.0
#include "cli/demo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/library.h"

#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

TEST(DemoTest, EveryStepIsAsItShouldBe) {
  const TemporaryDirectory root = *TemporaryDirectory::Create();
  ASSERT_TRUE(MakeDirectories(root.File("sub")).ok());
  for (const char* const name : {"a", "b & c", "sub/star*", "sub/two\nlines"}) {
    ASSERT_TRUE(WriteFileAtomically(root.File(name), std::string("some\ntext\n") + name).ok());
  }
  const CommandRun run = RunForTest({"demo", root.path()});
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  for (int step = 1; step <= 10; ++step) {
    EXPECT_THAT(run.out, HasSubstr("\n" + std::to_string(step) + ". "));
  }
  EXPECT_THAT(run.out, HasSubstr("ALREADY_EXISTS"));
  EXPECT_THAT(run.out, HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_EQ(run.err, "");
}

TEST(DemoTest, OneFileIsEnough) {
  const TemporaryDirectory root = *TemporaryDirectory::Create();
  ASSERT_TRUE(WriteFileAtomically(root.File("only"), "x").ok());
  const CommandRun run = RunForTest({"demo", root.path(), "-o", "json"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(run.out.starts_with("{\"schema\":1,")) << "standard output is data alone";
  EXPECT_THAT(run.err, HasSubstr("10. "));
}

TEST(DemoTest, AStoreThatGivesOtherBytesIsFound) {
  const Library library;
  DemoStage stage;
  stage.say = [](const std::string&) {};
  stage.files = {{"/d", "name", "the file's bytes"}};
  stage.pool = Connect("local:[demo-wrong]").value();
  ASSERT_TRUE(
      stage.pool
          .Publish(stage.first().key(), DataObject::FromString("other bytes", "/d/name").value())
          .ok());
  EXPECT_EQ(DemoNeed(stage).status().code(), StatusCode::kInternal);
  EXPECT_EQ(DemoList(stage).status().code(), StatusCode::kInternal);
  EXPECT_EQ(DemoInfo(stage).status().code(), StatusCode::kInternal);
  EXPECT_EQ(DemoCompute(stage).status().code(), StatusCode::kInternal);
}

TEST(DemoTest, ADirectoryThatIsNotThere) {
  EXPECT_EQ(RunForTest({"demo", "/no/such/directory"}).code, 2);
}

}  // namespace
}  // namespace cirein
