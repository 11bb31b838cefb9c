// SPDX-License-Identifier: Apache-2.0
#include "runtime/adaptive_wait.h"

#include <gtest/gtest.h>

namespace cirein {
namespace {

int RoundsUntilBlocking(AdaptiveWait& wait) {
  int rounds = 0;
  while (wait.Pause()) ++rounds;
  return rounds;
}

TEST(AdaptiveWait, PatienceEnds) {
  AdaptiveWait wait;
  const int rounds = RoundsUntilBlocking(wait);
  EXPECT_GE(rounds, AdaptiveWait::kYieldRounds);
  EXPECT_LE(rounds, AdaptiveWait::kPollRounds + AdaptiveWait::kYieldRounds);
  EXPECT_FALSE(wait.Pause());
}

TEST(AdaptiveWait, ResetBeginsAnew) {
  AdaptiveWait wait;
  const int rounds = RoundsUntilBlocking(wait);
  wait.Reset();
  EXPECT_EQ(RoundsUntilBlocking(wait), rounds);
}

}  // namespace
}  // namespace cirein
