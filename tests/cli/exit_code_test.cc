// SPDX-License-Identifier: Apache-2.0
#include "cli/exit_code.h"

#include <set>

#include <gtest/gtest.h>

namespace cirein {
namespace {

int CodeOf(const Status& status) { return static_cast<int>(ExitCodeOf(status)); }

TEST(ExitCodeTest, FollowsTheKindOfError) {
  EXPECT_EQ(CodeOf(OkStatus()), 0);
  EXPECT_EQ(CodeOf(InvalidArgument("x")), 1);
  EXPECT_EQ(CodeOf(Unimplemented("x")), 1);
  EXPECT_EQ(CodeOf(NotFound("x")), 2);
  EXPECT_EQ(CodeOf(DeadlineExceeded("x")), 3);
  EXPECT_EQ(CodeOf(Unavailable("x")), 4);
  EXPECT_EQ(CodeOf(IoError("x")), 4);
  EXPECT_EQ(CodeOf(Cancelled("x")), 5);
  EXPECT_EQ(CodeOf(DataLoss("x")), 5);
  EXPECT_EQ(CodeOf(Aborted("x")), 5);
  EXPECT_EQ(CodeOf(AlreadyExists("x")), 6);
  EXPECT_EQ(CodeOf(PermissionDenied("x")), 6);
  EXPECT_EQ(CodeOf(ResourceExhausted("x")), 6);
  EXPECT_EQ(CodeOf(FailedPrecondition("x")), 6);
  EXPECT_EQ(CodeOf(Internal("x")), 70);
}

TEST(ExitCodeTest, EachIsExplainedOnce) {
  std::set<int> codes;
  for (const ExitCodeMeaning& code : ExitCodes()) {
    EXPECT_TRUE(codes.insert(static_cast<int>(code.code)).second);
    EXPECT_FALSE(code.meaning.empty());
  }
  EXPECT_EQ(codes, (std::set<int>{0, 1, 2, 3, 4, 5, 6, 70}));
}

}  // namespace
}  // namespace cirein
