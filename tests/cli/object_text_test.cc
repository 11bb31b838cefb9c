// SPDX-License-Identifier: Apache-2.0
#include "cli/object_text.h"

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(ObjectTextTest, KeysComeBack) {
  for (const Key& key : {Key("row"), Key("row", ""), Key("row", "c"), Key("a|b*", "\\"),
                         Key(std::string("\0\n", 2), std::string(500, '\xff'))}) {
    const auto read = ParseKeyText(KeyText(key));
    ASSERT_TRUE(read.ok()) << KeyText(key);
    EXPECT_EQ(*read, key);
  }
}

TEST(ObjectTextTest, PatternsAreNoKeys) {
  for (const char* const text : {"*", "row*", "row|*", "row|**", "row|c*", "", "|c", "\\"}) {
    EXPECT_EQ(ParseKeyText(text).code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(ObjectTextTest, Versions) {
  const Version version{.epoch = 3, .counter = UINT64_MAX};
  EXPECT_EQ(*ParseVersionText(version.ToString()), version);
  EXPECT_EQ(*ParseVersionText("0.0"), Version{});
  for (const char* const text :
       {"", ".", "1", "1.", ".1", "1.2.3", "-1.2", "1. 2", "a.b", "18446744073709551616.0"}) {
    EXPECT_EQ(ParseVersionText(text).code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(ObjectTextTest, AnotherNextStep) {
  const Status status = WithHint(NotFound("gone", "old"), "new");
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "gone");
  EXPECT_EQ(status.hint(), "new");
  EXPECT_TRUE(WithHint(OkStatus(), "new").ok());
}

}  // namespace
}  // namespace cirein
