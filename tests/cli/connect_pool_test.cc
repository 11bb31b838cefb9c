// SPDX-License-Identifier: Apache-2.0
#include "cli/connect_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/library.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

TEST(ConnectPoolTest, TellsAnUnknownTypeFirst) {
  const Library library;
  for (const char* const url : {"locl:", "locl:[b]", "locl:no/slash", "locl:/a"}) {
    const Status status = ConnectPool(url).status();
    EXPECT_EQ(status.code(), StatusCode::kNotFound) << url;
    EXPECT_THAT(status.message(), HasSubstr("no pool type \"locl\"")) << url;
    EXPECT_THAT(status.hint(), HasSubstr("did you mean \"local\"?")) << url;
  }
}

TEST(ConnectPoolTest, TellsWhatIsWrongWithTheUrlOfAKnownType) {
  const Library library;
  for (const char* const url : {"trace:", "LKV:no/slash", "ref:", "1x:", "", "nonsense", ":"}) {
    EXPECT_EQ(ConnectPool(url).status().code(), StatusCode::kInvalidArgument) << url;
  }
  EXPECT_THAT(ConnectPool("trace:").status().message(), HasSubstr("no path"));
}

TEST(ConnectPoolTest, Connects) {
  const Library library;
  EXPECT_EQ(ConnectPool("local:").value().type(), "local");
  EXPECT_EQ(ConnectPool("LKV:/a").value().type(), "local");
}

}  // namespace
}  // namespace cirein
