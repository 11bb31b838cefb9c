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

class AdaptiveWaits : public testing::Test {
 protected:
  static int PollsOf(AdaptiveWait& wait) {
    return RoundsUntilBlocking(wait) - AdaptiveWait::kYieldRounds;
  }
  static int PollsMax() {
    AdaptiveWait fresh;
    return PollsOf(fresh);
  }
  /// So many waits that only yielding ends.
  static void Miss(AdaptiveWait& wait, int waits) {
    for (int i = 0; i < waits; ++i) WaitFor(wait, AdaptiveWait::kPollRounds + 1);
  }
  const int polls_max_ = PollsMax();
  const int polls_few_ = std::min(polls_max_, AdaptiveWait::kFewPollRounds);
};

TEST_F(AdaptiveWaits, PollLessWhereOnlyYieldingHelpsTimeAndAgain) {
  AdaptiveWait wait;
  Miss(wait, AdaptiveWait::kMissesMax - 1);
  WaitFor(wait, std::min(polls_max_, 1));
  if (polls_max_ > 0) Miss(wait, AdaptiveWait::kMissesMax - 1);
  EXPECT_EQ(PollsOf(wait), polls_max_) << "they were not in a row";
  wait.Reset();
  Miss(wait, 1);
  EXPECT_EQ(PollsOf(wait), polls_few_);
  wait.Reset();
  EXPECT_EQ(PollsOf(wait), polls_few_) << "of a wait that ended in blocking nothing is learnt";
  wait.Reset();
  WaitFor(wait, std::min(polls_few_, 1));
  EXPECT_EQ(PollsOf(wait), polls_max_) << "polling was of use";
}

TEST_F(AdaptiveWaits, FindByALongerLookWhatComesALittleLater) {
  AdaptiveWait wait;
  Miss(wait, AdaptiveWait::kMissesMax);
  for (int i = 0; i <= AdaptiveWait::kWaitsPerLook; ++i) {
    WaitFor(wait, AdaptiveWait::kFewPollRounds + 1);
  }
  EXPECT_EQ(PollsOf(wait), polls_max_);
}

TEST_F(AdaptiveWaits, LookLongerOnceInAWhile) {
  AdaptiveWait wait;
  Miss(wait, AdaptiveWait::kMissesMax);
  Miss(wait, AdaptiveWait::kWaitsPerLook - 1);
  EXPECT_EQ(PollsOf(wait), polls_few_);
  wait.Reset();
  Miss(wait, 1);
  EXPECT_EQ(PollsOf(wait), polls_max_);
  wait.Reset();
  EXPECT_EQ(PollsOf(wait), polls_few_);
}

}  // namespace
}  // namespace cirein
