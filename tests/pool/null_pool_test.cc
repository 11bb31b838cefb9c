// SPDX-License-Identifier: Apache-2.0
#include "pool/null_pool.h"

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "support/library_test.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

class NullPoolKeyTest : public test::LibraryTest {};

TEST_F(NullPoolKeyTest, AnswersAPatternWithAKeyThatMayBeAndMatches) {
  const Pool pool = Open("null:");
  for (const char* const text : {"*", "r*", "row", "row|c", "row|*", "row|c*", "*|**", "*|c"}) {
    const Pattern pattern = Pattern::ParseText(text).value();
    ResultCollector collector;
    pool.Want(pattern, collector);
    ASSERT_OK(collector.Wait());
    const Key found = collector.results().at(0).key;
    EXPECT_OK(found.Validate()) << text;
    EXPECT_TRUE(pattern.Matches(found)) << text << ": " << found.ToString();
  }
}

}  // namespace
}  // namespace cirein
