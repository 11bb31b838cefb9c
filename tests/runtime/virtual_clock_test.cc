// SPDX-License-Identifier: Apache-2.0
#include "runtime/virtual_clock.h"

#include <thread>

#include <gtest/gtest.h>

namespace cirein {
namespace {

using namespace std::chrono_literals;

TEST(VirtualClock, StandsStillUntilMoved) {
  VirtualClock clock;
  EXPECT_EQ(clock.Now(), VirtualClock::kStart);
  EXPECT_EQ(clock.Now(), VirtualClock::kStart);
  EXPECT_EQ(clock.Advance(5s), VirtualClock::kStart + 5s);
  EXPECT_EQ(clock.WallNow(), VirtualClock::kWallStart + 5s);
}

TEST(VirtualClock, NeverGoesBack) {
  VirtualClock clock;
  clock.Advance(10s);
  EXPECT_EQ(clock.Advance(-3s), VirtualClock::kStart + 10s);
  EXPECT_EQ(clock.AdvanceTo(1ns), VirtualClock::kStart + 10s);
  EXPECT_EQ(clock.AdvanceTo(VirtualClock::kStart + 11s), VirtualClock::kStart + 11s);
}

TEST(VirtualClock, StopsAtTheEndOfTime) {
  VirtualClock clock;
  EXPECT_EQ(clock.Advance(std::chrono::nanoseconds::max()), kEndOfTime);
  EXPECT_EQ(clock.Advance(1s), kEndOfTime);
}

TEST(VirtualClock, CountsTheStepsOfAllThreads) {
  VirtualClock clock;
  constexpr int kSteps = 10'000;
  const auto step = [&clock] {
    for (int i = 0; i < kSteps; ++i) clock.Advance(1ns);
  };
  std::thread other(step);
  step();
  other.join();
  EXPECT_EQ(clock.Now(), VirtualClock::kStart + std::chrono::nanoseconds(2 * kSteps));
}

}  // namespace
}  // namespace cirein
