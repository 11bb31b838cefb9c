// SPDX-License-Identifier: Apache-2.0
#include "runtime/interrupt_flag.h"

#include <signal.h>

#include <gtest/gtest.h>

#include "runtime/real_clock.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

// Each in a process of its own, since the flag is set for good.
TEST(InterruptFlagDeathTest, TheFirstSignalSetsTheFlag) {
  EXPECT_EXIT(
      {
        InterruptFlag& flag = InterruptFlag::Install();
        const bool before = flag.IsSet() || flag.WaitUntil(RealClock::MonotonicNow());
        raise(SIGTERM);
        const bool after = flag.IsSet() && flag.WaitUntil(kEndOfTime);
        _exit(!before && after && flag.signal_number() == SIGTERM ? 17 : 1);
      },
      testing::ExitedWithCode(17), "");
}

TEST(InterruptFlagDeathTest, TheSecondSignalEndsTheProcess) {
  EXPECT_EXIT(
      {
        InterruptFlag::Install();
        raise(SIGTERM);
        raise(SIGINT);
        _exit(0);
      },
      testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace cirein
