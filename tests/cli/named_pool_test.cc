// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

// Which pool the verbs of objects work on, and what they do when it is not there.
class NamedPoolTest : public ::testing::Test {
 protected:
  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  const std::string path_ = directory_.File("pool");
};

TEST_F(NamedPoolTest, WhoLooksForSomethingMakesNone) {
  const std::vector<std::vector<std::string>> commands = {
      {"get", path_, "k"},
      {"get", "elastic:" + path_, "k"},
      {"info", path_, "k"},
      {"list", path_},
      {"drop", path_, "k"},
      {"compute", path_, "row|*", "count"},
      {"put", path_ + "&create=no", "k", "--data", "x"},
  };
  for (const std::vector<std::string>& command : commands) {
    const CommandRun run = RunForTest(command);
    EXPECT_EQ(run.code, 2) << command[0];
    EXPECT_THAT(run.err, HasSubstr(path_));
    EXPECT_THAT(run.err, HasSubstr("cirein pool create"));
  }
  EXPECT_TRUE(ListDirectory(directory_.path())->empty());
}

TEST_F(NamedPoolTest, PutMakesOneAndSaysSo) {
  const std::string pool = path_ + "&size=1MiB";
  const CommandRun first = RunForTest({"put", pool, "a", "--data", "1"});
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("made a new pool"));
  const CommandRun second = RunForTest({"put", pool, "b", "--data", "2"});
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(second.err, "");
  EXPECT_EQ(RunForTest({"get", path_, "a"}).out, "1");
}

TEST_F(NamedPoolTest, AWordIsNoPath) {
  const CommandRun run = RunForTest({"list", "pool"});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("./pool"));
}

TEST_F(NamedPoolTest, BucketsAreNamedByTheUrl) {
  const std::string red = "elastic:[red]" + path_;
  const std::string blue = path_ + "&bucket=blue";
  ASSERT_EQ(RunForTest({"pool", "create", path_, "--size", "1MiB"}).code, 0);
  EXPECT_EQ(RunForTest({"put", red, "k", "--data", "r"}).code, 0);
  EXPECT_EQ(RunForTest({"put", blue, "k", "--data", "b"}).code, 0);
  EXPECT_EQ(RunForTest({"get", red, "k"}).out, "r");
  EXPECT_EQ(RunForTest({"get", blue, "k"}).out, "b");
  EXPECT_EQ(RunForTest({"get", path_, "k"}).code, 2);
  EXPECT_EQ(RunForTest({"drop", red, "*|*", "--yes"}).code, 0);
  EXPECT_EQ(RunForTest({"get", blue, "k"}).out, "b");
}

}  // namespace
}  // namespace cirein
