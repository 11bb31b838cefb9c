// SPDX-License-Identifier: Apache-2.0
#include "runtime/manual_executor.h"

#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include "base/logging.h"

namespace cirein {
namespace {

TEST(ManualExecutor, RunsInOrderWhenTold) {
  ManualExecutor executor;
  std::vector<int> ran;
  ASSERT_TRUE(executor.Submit([&] { ran.push_back(1); }).ok());
  ASSERT_TRUE(executor
                  .Submit([&] {
                    ran.push_back(2);
                    EXPECT_TRUE(executor.Submit([&] { ran.push_back(3); }).ok());
                  })
                  .ok());
  EXPECT_TRUE(ran.empty());
  EXPECT_TRUE(executor.RunOne());
  EXPECT_EQ(ran, (std::vector{1}));
  EXPECT_EQ(executor.RunAll(), 2U);
  EXPECT_EQ(ran, (std::vector{1, 2, 3}));
  EXPECT_FALSE(executor.RunOne());
}

TEST(ManualExecutor, RefusesWhenFullAndWhenClosed) {
  ManualExecutor executor("small", 2);
  EXPECT_TRUE(executor.Submit([] {}).ok());
  EXPECT_TRUE(executor.Submit([] {}).ok());
  const Status full = executor.Submit([] {});
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(full.message().find("small"), std::string_view::npos);
  executor.Close();
  EXPECT_EQ(executor.Submit([] {}).code(), StatusCode::kUnavailable);
  EXPECT_EQ(executor.RunAll(), 2U);
}

TEST(ManualExecutor, SurvivesExceptions) {
  const LogCapture log;
  ManualExecutor executor;
  ASSERT_TRUE(executor.Submit([] { throw std::runtime_error("bang"); }).ok());
  ASSERT_TRUE(executor.Submit([] { throw 1; }).ok());  // NOLINT: users do.
  EXPECT_EQ(executor.RunAll(), 2U);
  EXPECT_EQ(executor.failed(), 2U);
  EXPECT_TRUE(log.Contains("bang"));
}

}  // namespace
}  // namespace cirein
