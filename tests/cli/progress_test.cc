// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_test.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class Terminal final : public StringConsole {
 public:
  bool animates() const override { return true; }
};

TEST(ProgressTest, DrawsABarAndTakesItAwayAgain) {
  Terminal console;
  {
    Progress progress(console, "load", 200);
    progress.Add(100);
    EXPECT_THAT(console.err(), HasSubstr("load [###############...............] 100 "));
  }
  EXPECT_TRUE(console.err().ends_with("\r\x1b[K"));
  EXPECT_EQ(console.out(), "");
}

TEST(ProgressTest, WithoutATotalThereIsNoBar) {
  Terminal console;
  Progress progress(console, "run", 0);
  progress.Add(7);
  EXPECT_THAT(console.err(), HasSubstr("run 7 "));
}

TEST(ProgressTest, NothingOffATerminal) {
  StringConsole console;
  {
    Progress progress(console, "load", 200);
    progress.Add(200);
  }
  EXPECT_EQ(console.err(), "");
}

}  // namespace
}  // namespace cirein
