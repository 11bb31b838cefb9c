// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "cli/object_verbs.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class ComputeVerbTest : public ObjectVerbTest {
 protected:
  ComputeVerbTest() {
    Put("row|a", "one");
    Put("row|b", "three");
  }
};

TEST_P(ComputeVerbTest, WritesWhatTheFunctionGives) {
  const CommandRun run = Run("compute", {"row|*", "concat", ", "});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "one, three");
  EXPECT_EQ(Run("compute", {"row|*", "concat"}).out, "onethree");
  EXPECT_EQ(Run("compute", {"row|b*", "count"}).out, "1");
  const CommandRun file = Run("compute", {"row|*", "pick", "largest", "--to", File("out")});
  EXPECT_EQ(file.out, "");
  EXPECT_EQ(*ReadFile(File("out"), 100), "three");
}

TEST_P(ComputeVerbTest, ErrorsNameWhatIsMissing) {
  const CommandRun function = Run("compute", {"row|*", "cuont"});
  EXPECT_EQ(function.code, 2);
  EXPECT_THAT(function.err, HasSubstr("count"));
  const CommandRun row = Run("compute", {"none|*", "count"});
  EXPECT_EQ(row.code, 2);
  EXPECT_THAT(row.err, HasSubstr("none|*"));
  EXPECT_EQ(Run("compute", {"*|*", "count"}).code, 1);
  EXPECT_NE(Run("compute", {"row|*", "pick", "best"}).code, 0);
}

INSTANTIATE_TEST_SUITE_P(Pools, ComputeVerbTest, PoolsToTest(), PoolToTestName);

}  // namespace
}  // namespace cirein
