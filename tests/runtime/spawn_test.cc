// SPDX-License-Identifier: Apache-2.0
#include "runtime/spawn.h"

#include <memory>
#include <stdexcept>

#include <gtest/gtest.h>

#include "base/logging.h"
#include "runtime/guarded.h"
#include "runtime/one_shot.h"
#include "runtime/sleep.h"
#include "runtime/virtual_timers.h"

namespace cirein {
namespace {

TEST(Spawn, LogsAndCountsAnException) {
  const LogCapture log;
  const std::uint64_t before = CaughtExceptionCount();
  Gate gate;
  const auto body = []() -> Task<void> {
    throw std::runtime_error("bang");
    co_return;
  };
  EXPECT_TRUE(Spawn(gate, "thrower", body()).ok());
  EXPECT_EQ(CaughtExceptionCount(), before + 1);
  EXPECT_TRUE(log.Contains("thrower: work threw"));
  EXPECT_EQ(gate.count(), 0U);
}

TEST(Spawn, AClosedGateLetsNothingStart) {
  Gate gate;
  ASSERT_TRUE(gate.CloseAndWait());
  bool started = false;
  const auto body = [&started]() -> Task<void> {
    started = true;
    co_return;
  };
  EXPECT_EQ(Spawn(gate, "late", body()).code(), StatusCode::kUnavailable);
  EXPECT_FALSE(started);
}

TEST(Spawn, CloseGateWaitsInACoroutine) {
  VirtualTimers timers;
  Gate workers;
  Gate closers;
  auto held = std::make_shared<int>(1);
  const auto worker = [&timers](std::shared_ptr<int>) -> Task<void> {
    EXPECT_TRUE((co_await SleepUntil(timers, TimePoint(5))).ok());
  };
  bool all_gone = false;
  const auto closer = [&]() -> Task<void> {
    co_await CloseGate(workers, timers);
    all_gone = true;
    EXPECT_EQ(held.use_count(), 1);  // Frames go before the gate is left.
  };
  ASSERT_TRUE(Spawn(workers, "worker", worker(held)).ok());
  ASSERT_TRUE(Spawn(closers, "closer", closer()).ok());
  EXPECT_FALSE(all_gone);
  while (timers.RunOne(TimePoint(5))) {
  }
  EXPECT_TRUE(all_gone);
  EXPECT_EQ(closers.count(), 0U);
}

}  // namespace
}  // namespace cirein
