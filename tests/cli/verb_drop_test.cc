// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "cli/object_verbs.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class DropVerbTest : public ObjectVerbTest {
 protected:
  DropVerbTest() {
    for (const char* const key : {"run1", "run1|a", "run1|b", "run2|a", "other"}) Put(key, "x");
  }
  std::string Dropped(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"-o", "csv"});
    const CommandRun run = Run("drop", arguments);
    EXPECT_EQ(run.code, 0) << run.err;
    return run.out.substr(run.out.rfind(',') + 1);
  }
};

TEST_P(DropVerbTest, TellsHowMany) {
  EXPECT_EQ(Dropped({"run1|a"}), "1\n");
  EXPECT_EQ(Run("get", {"run1|a"}).code, 2);
  EXPECT_EQ(Run("get", {"run1|b"}).code, 0);
  EXPECT_EQ(Dropped({"run1|*"}), "2\n");
  EXPECT_EQ(Dropped({"run1|*"}), "0\n");
  EXPECT_EQ(Dropped({"ru*|*"}), "1\n");
  EXPECT_EQ(Run("get", {"other"}).code, 0);
}

TEST_P(DropVerbTest, EveryRowNeedsAYes) {
  for (const char* const pattern : {"*", "*|*", "*|a", "*|a*", "*|**"}) {
    const CommandRun run = Run("drop", {pattern});
    EXPECT_EQ(run.code, 6) << pattern;
    EXPECT_THAT(run.err, HasSubstr("--yes"));
  }
  EXPECT_EQ(Dropped({"*|a", "--yes"}), "2\n");
  EXPECT_EQ(Dropped({"*|*", "--yes"}), "3\n");
}

TEST_P(DropVerbTest, AStarInANameIsNoPattern) {
  Put(R"(\*)", "x");
  EXPECT_EQ(Dropped({R"(\*)"}), "1\n");
  EXPECT_EQ(Run("get", {"run1"}).code, 0);
}

INSTANTIATE_TEST_SUITE_P(Pools, DropVerbTest, PoolsToTest(), PoolToTestName);

}  // namespace
}  // namespace cirein
