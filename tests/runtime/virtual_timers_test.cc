// SPDX-License-Identifier: Apache-2.0
#include "runtime/virtual_timers.h"

#include <memory>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(VirtualTimers, RunWhenTold) {
  VirtualTimers timers;
  int ran = 0;
  timers.RunAt(TimePoint(10), [&] { ran = 10; });
  timers.RunAt(TimePoint(5), [&] { ran = 5; });
  EXPECT_EQ(timers.NextTimer(), TimePoint(5));
  EXPECT_FALSE(timers.RunOne(TimePoint(4)));
  EXPECT_TRUE(timers.RunOne(TimePoint(10)));
  EXPECT_EQ(ran, 5);
  EXPECT_TRUE(timers.RunOne(TimePoint(10)));
  EXPECT_EQ(ran, 10);
}

TEST(VirtualTimers, CancelOnce) {
  VirtualTimers timers;
  const auto id = timers.RunAt(TimePoint(1), [] {});
  EXPECT_TRUE(timers.CancelTimer(id));
  EXPECT_FALSE(timers.CancelTimer(id));
  EXPECT_FALSE(timers.RunOne(TimePoint(1)));
}

TEST(VirtualTimers, CloseDestroysWhatWaits) {
  VirtualTimers timers;
  auto held = std::make_shared<int>(1);
  timers.RunAt(TimePoint(1), [held] { FAIL(); });
  timers.Close();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(timers.RunAt(TimePoint(1), [] { FAIL(); }), 0U);
  EXPECT_FALSE(timers.RunOne(TimePoint(1)));
}

}  // namespace
}  // namespace cirein
