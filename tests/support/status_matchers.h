// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/status.h"

#include "support/printing.h"

namespace cirein::test {

inline Status StatusOf(const Status& status) { return status; }
template <typename T>
Status StatusOf(const Result<T>& result) {
  return result.status();
}

/// OK, or a failure that shows the error. For Status and Result alike.
template <typename T>
testing::AssertionResult Succeeded(const T& outcome) {
  const Status status = StatusOf(outcome);
  if (status.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << status.ToString();
}

/// An error of this code that says what failed and what to do next, as every error must.
template <typename T>
testing::AssertionResult FailsWith(const T& outcome, StatusCode code) {
  const Status status = StatusOf(outcome);
  if (status.ok()) {
    return testing::AssertionFailure() << "OK instead of " << StatusCodeName(code);
  }
  if (status.code() != code) {
    return testing::AssertionFailure()
           << status.ToString() << " instead of " << StatusCodeName(code);
  }
  if (status.message().empty()) return testing::AssertionFailure() << "no message";
  if (status.hint().empty()) return testing::AssertionFailure() << "no hint: " << status.ToString();
  return testing::AssertionSuccess();
}

}  // namespace cirein::test

#define EXPECT_OK(outcome) EXPECT_TRUE(::cirein::test::Succeeded(outcome))
#define ASSERT_OK(outcome) ASSERT_TRUE(::cirein::test::Succeeded(outcome))
#define EXPECT_CODE(outcome, code) \
  EXPECT_TRUE(::cirein::test::FailsWith(outcome, ::cirein::StatusCode::code))
#define ASSERT_CODE(outcome, code) \
  ASSERT_TRUE(::cirein::test::FailsWith(outcome, ::cirein::StatusCode::code))
