// SPDX-License-Identifier: Apache-2.0
#include "cirein/deadline.h"

#include <chrono>
#include <limits>

#include <gtest/gtest.h>

namespace cirein {
namespace {

using std::chrono::nanoseconds;

TEST(DeadlineTest, ThreeKinds) {
  EXPECT_TRUE(Deadline().is_default());
  EXPECT_TRUE(kNoDeadline.is_none());
  const Deadline deadline = std::chrono::milliseconds(3);
  EXPECT_FALSE(deadline.is_default() || deadline.is_none());
  EXPECT_EQ(deadline.after(), nanoseconds(3'000'000));
}

TEST(DeadlineTest, OrReplacesOnlyTheDefault) {
  EXPECT_EQ(Deadline().Or(nanoseconds(5)).after(), nanoseconds(5));
  EXPECT_EQ(Deadline(nanoseconds(7)).Or(nanoseconds(5)).after(), nanoseconds(7));
  EXPECT_TRUE(kNoDeadline.Or(nanoseconds(5)).is_none());
}

TEST(DeadlineTest, ClampsWhatDoesNotFit) {
  EXPECT_EQ(Deadline(std::chrono::seconds(-1)).after(), nanoseconds::zero());
  EXPECT_EQ(Deadline(std::chrono::hours::max()).after(), nanoseconds::max());
  EXPECT_EQ(Deadline(std::chrono::seconds::max()).after(), nanoseconds::max());
  EXPECT_EQ(Deadline(nanoseconds::max()).after(), nanoseconds::max());
  EXPECT_EQ(Deadline(std::chrono::duration<double>(0.5)).after(), nanoseconds(500'000'000));
  EXPECT_EQ(
      Deadline(std::chrono::duration<double>(std::numeric_limits<double>::infinity())).after(),
      nanoseconds::max());
}

}  // namespace
}  // namespace cirein
