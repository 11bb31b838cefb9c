// SPDX-License-Identifier: Apache-2.0
#include "runtime/guarded.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "base/logging.h"

namespace cirein {
namespace {

TEST(Guarded, LetsNoExceptionOut) {
  const LogCapture log;
  const std::uint64_t before = CaughtExceptionCount();
  EXPECT_TRUE(RunGuarded("here", [] {}));
  EXPECT_FALSE(RunGuarded("here", [] { throw std::runtime_error("bang"); }));
  EXPECT_FALSE(RunGuarded("there", [] { throw "no std::exception"; }));  // NOLINT: users do.
  EXPECT_FALSE(RunGuarded("empty", nullptr));
  EXPECT_EQ(CaughtExceptionCount() - before, 3U);
  EXPECT_TRUE(log.Contains("here: work threw an exception"));
  EXPECT_TRUE(log.Contains("bang"));
  EXPECT_TRUE(log.Contains("there: work threw something"));
}

}  // namespace
}  // namespace cirein
