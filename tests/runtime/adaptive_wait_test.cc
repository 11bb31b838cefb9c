// SPDX-License-Identifier: Apache-2.0
#include "runtime/adaptive_wait.h"

#include <algorithm>

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

// Something happens after so many rounds.
void WaitFor(AdaptiveWait& wait, int rounds) {
  for (int i = 0; i < rounds; ++i) ASSERT_TRUE(wait.Pause());
  wait.Reset();
}

TEST(AdaptiveWait, PollsLessWhereOnlyYieldingHelpsAndMoreWherePollingDoes) {
  AdaptiveWait fresh;
  const int polls_max = RoundsUntilBlocking(fresh) - AdaptiveWait::kYieldRounds;
  AdaptiveWait wait;
  for (int i = 0; i < 10; ++i) WaitFor(wait, AdaptiveWait::kPollRounds + 1);
  EXPECT_EQ(RoundsUntilBlocking(wait),
            AdaptiveWait::kYieldRounds + std::min(polls_max, AdaptiveWait::kPollRoundsMin));
  wait.Reset();
  EXPECT_EQ(RoundsUntilBlocking(wait),
            AdaptiveWait::kYieldRounds + std::min(polls_max, AdaptiveWait::kPollRoundsMin))
      << "of a wait that ended in blocking nothing is learnt";
  wait.Reset();
  // What comes after some rounds of polling is found by the next longer look.
  constexpr int kSome = AdaptiveWait::kPollRoundsMin + 3;
  for (int i = 0; i < AdaptiveWait::kWaitsPerLook; ++i) WaitFor(wait, kSome);
  EXPECT_EQ(RoundsUntilBlocking(wait), AdaptiveWait::kYieldRounds + std::min(polls_max, 2 * kSome));
}

TEST(AdaptiveWait, LooksLongerOnceInAWhile) {
  AdaptiveWait fresh;
  const int rounds_max = RoundsUntilBlocking(fresh);
  AdaptiveWait wait;
  for (int i = 0; i < 10; ++i) WaitFor(wait, AdaptiveWait::kPollRounds + 1);
  int longer = 0;
  for (int i = 0; i < 10 * AdaptiveWait::kWaitsPerLook; ++i) {
    if (RoundsUntilBlocking(wait) == rounds_max) ++longer;
    wait.Reset();
  }
  // Where there is only one core all waits are alike.
  EXPECT_EQ(longer,
            rounds_max > AdaptiveWait::kYieldRounds ? 10 : 10 * AdaptiveWait::kWaitsPerLook);
}

}  // namespace
}  // namespace cirein
