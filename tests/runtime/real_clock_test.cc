// SPDX-License-Identifier: Apache-2.0
#include "runtime/real_clock.h"

#include <gtest/gtest.h>

namespace cirein {
namespace {

using namespace std::chrono_literals;

TEST(RealClock, IsMonotonic) {
  TimePoint last = RealClock::MonotonicNow();
  EXPECT_GT(last, TimePoint::zero());
  for (int i = 0; i < 10'000; ++i) {
    const TimePoint now = RealClock::Instance().Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(RealClock, WallTimeIsInThisCentury) {
  const auto years = RealClock::Instance().WallNow() / std::chrono::hours(24 * 365);
  EXPECT_GT(years, 50);
  EXPECT_LT(years, 150);
}

TEST(RealClock, EndOfNeverOverflows) {
  Clock& clock = RealClock::Instance();
  EXPECT_EQ(clock.EndOf(kNoDeadline), kEndOfTime);
  EXPECT_EQ(clock.EndOf(std::chrono::nanoseconds::max()), kEndOfTime);
  EXPECT_LT(clock.EndOf(1h), kEndOfTime);
  const TimePoint past = clock.EndOf(-5s);
  EXPECT_LE(past, clock.Now());
}

}  // namespace
}  // namespace cirein
