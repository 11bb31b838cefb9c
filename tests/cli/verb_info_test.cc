// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "cli/object_verbs.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class InfoVerbTest : public ObjectVerbTest {};

TEST_P(InfoVerbTest, TellsOfAnObject) {
  EXPECT_EQ(Run("put", {"row|c", "--data", "12345", "--meta", "ab", "--ttl", "1h"}).code, 0);
  const CommandRun run = Run("info", {"row|c", "-o", "json"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\"key\":\"row|c\",\"meta_bytes\":2,\"data_bytes\":5,"));
  EXPECT_THAT(run.out, HasSubstr("\"availability\":\""));
  EXPECT_THAT(run.out, Not(HasSubstr("\"availability\":\"unavailable\"")));
  EXPECT_THAT(run.out, ::testing::ContainsRegex("\"ttl_ns\":35[0-9]+"));
  Put("row|d", "x");
  EXPECT_THAT(Run("info", {"row|d", "-o", "json"}).out, HasSubstr("\"ttl_ns\":null"));
}

TEST_P(InfoVerbTest, TellsOfARow) {
  Put("row|a", "123");
  Put("row|b", "4567");
  EXPECT_THAT(Run("info", {"row|*", "-o", "json"}).out,
              HasSubstr("\"row\":\"row\",\"columns\":2,\"has_object\":\"no\",\"user_bytes\":7,"));
  Put("row", "8");
  EXPECT_THAT(Run("info", {"row|*", "-o", "json"}).out,
              HasSubstr("\"row\":\"row\",\"columns\":2,\"has_object\":\"yes\",\"user_bytes\":8,"));
}

TEST_P(InfoVerbTest, WhatIsNotThereIsAnErrorAtOnce) {
  for (const char* const what : {"row", "row|a", "row|*"}) {
    const CommandRun run = Run("info", {what, "--set", "default.deadline=24h"});
    EXPECT_EQ(run.code, 2) << what;
    EXPECT_THAT(run.err, HasSubstr("cirein list"));
  }
}

TEST_P(InfoVerbTest, TakesAKeyOrAWholeRow) {
  for (const char* const what : {"row*", "row|a*", "row|**", "*|*", "ro*w"}) {
    EXPECT_EQ(Run("info", {what}).code, 1) << what;
  }
}

INSTANTIATE_TEST_SUITE_P(Pools, InfoVerbTest, PoolsToTest(), PoolToTestName);

}  // namespace
}  // namespace cirein
