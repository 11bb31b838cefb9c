// SPDX-License-Identifier: Apache-2.0
#include "cli/insert_counter.h"

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(InsertCounterTest, OnlyKeysWithoutAGapArePresent) {
  InsertCounter counter(10);
  EXPECT_EQ(counter.present(), 10U);
  EXPECT_EQ(counter.Begin(), 10U);
  EXPECT_EQ(counter.Begin(), 11U);
  EXPECT_EQ(counter.Begin(), 12U);
  counter.Succeeded(12);
  counter.Succeeded(11);
  EXPECT_EQ(counter.present(), 10U);
  counter.Succeeded(10);
  EXPECT_EQ(counter.present(), 13U);
}

TEST(InsertCounterTest, AFailedKeyIsGivenAgain) {
  InsertCounter counter(0);
  EXPECT_EQ(counter.Begin(), 0U);
  EXPECT_EQ(counter.Begin(), 1U);
  counter.Failed(0);
  counter.Succeeded(1);
  EXPECT_EQ(counter.present(), 0U);
  EXPECT_EQ(counter.Begin(), 0U);
  counter.Succeeded(0);
  EXPECT_EQ(counter.present(), 2U);
  EXPECT_EQ(counter.Begin(), 2U);
}

}  // namespace
}  // namespace cirein
