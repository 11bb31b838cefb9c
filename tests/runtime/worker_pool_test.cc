// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker_pool.h"

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/logging.h"
#include "base/random.h"
#include "runtime/notification.h"
#include "runtime/reactor_thread.h"
#include "runtime/real_clock.h"
#include "runtime/virtual_clock.h"
#include "runtime/virtual_timers.h"
#include "support/seed.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

// Waits, yielding, for what other threads are about to do; false when it takes too long.
template <typename Condition>
bool Eventually(Condition condition) {
  const TimePoint limit = RealClock::MonotonicNow() + 60s;
  while (!condition()) {
    if (RealClock::MonotonicNow() >= limit) return false;
    std::this_thread::yield();
  }
  return true;
}

// Pieces of work that stay inside until released.
class Blockers {
 public:
  ~Blockers() { ReleaseAll(); }
  std::function<void()> Make() {
    return [state = state_] {
      ++state->inside;
      state->released.WaitUntil(kEndOfTime);
      --state->inside;
    };
  }
  bool WaitForInside(int count) {
    return Eventually([&] { return state_->inside == count; });
  }
  void ReleaseAll() { state_->released.Notify(); }

 private:
  struct State {
    std::atomic<int> inside{0};
    Notification released;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Who is stuck is decided in virtual time, so that no test depends on how fast the machine is.
class WorkerPoolTest : public testing::Test {
 protected:
  std::unique_ptr<WorkerPool> Make(WorkerPoolOptions options) {
    return std::make_unique<WorkerPool>(std::move(options), clock_, timers_);
  }
  void PassTime(std::chrono::nanoseconds time) {
    clock_.Advance(time);
    while (timers_.RunOne(clock_.Now())) {
    }
  }

  VirtualClock clock_;
  VirtualTimers timers_;
  Blockers blockers_;
};

TEST_F(WorkerPoolTest, RunsEachPieceOfWorkOnce) {
  constexpr std::size_t kCount = 10'000;
  std::vector<std::atomic<int>> ran(kCount);
  auto pool = Make({.min_threads = 2});
  EXPECT_EQ(pool->Stats().threads, 0U);
  for (std::size_t i = 0; i < kCount; ++i) ASSERT_TRUE(pool->Submit([&, i] { ++ran[i]; }).ok());
  EXPECT_TRUE(pool->Close(60s).ok());
  for (const auto& count : ran) ASSERT_EQ(count, 1);
  EXPECT_EQ(pool->Stats().run, kCount);
  EXPECT_EQ(pool->Stats().threads, 0U);
  EXPECT_EQ(pool->Submit([] {}).code(), StatusCode::kUnavailable);
}

TEST_F(WorkerPoolTest, KeepsToItsThreadsWhileTheyAreNotStuck) {
  auto pool = Make({.min_threads = 2, .threads_max = 8});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(pool->Submit(blockers_.Make()).ok());
  ASSERT_TRUE(blockers_.WaitForInside(2));
  PassTime(999ms);
  const WorkerPoolStats stats = pool->Stats();
  EXPECT_EQ(stats.threads, 2U);
  EXPECT_EQ(stats.stuck, 0U);
  EXPECT_EQ(stats.queued, 3U);
  blockers_.ReleaseAll();
}

TEST_F(WorkerPoolTest, GrowsWhileStuckAndShrinksAgain) {
  const LogCapture log;
  auto pool = Make({.name = "grow", .min_threads = 1, .threads_max = 3});
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(pool->Submit(blockers_.Make()).ok());
  ASSERT_TRUE(blockers_.WaitForInside(1));
  PassTime(1s);
  ASSERT_TRUE(blockers_.WaitForInside(2));
  EXPECT_EQ(pool->Stats().replaced, 1U);
  PassTime(1s);
  ASSERT_TRUE(blockers_.WaitForInside(3));
  EXPECT_EQ(pool->Stats().replaced, 2U);
  PassTime(5s);
  EXPECT_EQ(pool->Stats().threads, 3U);
  EXPECT_EQ(pool->Stats().stuck, 3U);
  EXPECT_EQ(pool->Stats().queued, 1U);
  EXPECT_TRUE(log.Contains("'grow'"));
  blockers_.ReleaseAll();
  EXPECT_TRUE(Eventually([&] { return pool->Stats().run == 4 && pool->Stats().threads == 1; }));
  EXPECT_EQ(timers_.NextTimer(), kEndOfTime);
}

TEST_F(WorkerPoolTest, GrowsAtOnceForWorkThatFindsAllStuck) {
  const LogCapture log;
  auto pool = Make({.min_threads = 1, .threads_max = 2});
  ASSERT_TRUE(pool->Submit(blockers_.Make()).ok());
  ASSERT_TRUE(blockers_.WaitForInside(1));
  PassTime(10s);
  Notification ran;
  ASSERT_TRUE(pool->Submit([&] { ran.Notify(); }).ok());
  EXPECT_TRUE(ran.WaitUntil(RealClock::MonotonicNow() + 60s));
  blockers_.ReleaseAll();
}

TEST_F(WorkerPoolTest, SetsNoTimerWhileNothingWaits) {
  auto pool = Make({.min_threads = 2});
  ASSERT_TRUE(pool->Submit(blockers_.Make()).ok());
  ASSERT_TRUE(pool->Submit(blockers_.Make()).ok());
  ASSERT_TRUE(blockers_.WaitForInside(2));
  PassTime(1h);
  EXPECT_EQ(timers_.NextTimer(), kEndOfTime);
  blockers_.ReleaseAll();
}

TEST_F(WorkerPoolTest, AFullQueueSaysHowManyAreStuck) {
  auto pool = Make({.name = "full", .min_threads = 1, .threads_max = 1, .queue_max = 2});
  ASSERT_TRUE(pool->Submit(blockers_.Make()).ok());
  ASSERT_TRUE(blockers_.WaitForInside(1));
  PassTime(2s);
  ASSERT_TRUE(pool->Submit([] {}).ok());
  ASSERT_TRUE(pool->Submit([] {}).ok());
  const Status refused = pool->Submit([] { FAIL(); });
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(refused.message().find("'full'"), std::string_view::npos);
  EXPECT_NE(refused.message().find("1 of its 1"), std::string_view::npos) << refused.ToString();
  EXPECT_EQ(pool->Stats().refused, 1U);
  blockers_.ReleaseAll();
  EXPECT_TRUE(pool->Close(60s).ok());
  EXPECT_EQ(pool->Stats().run, 3U);
}

TEST_F(WorkerPoolTest, RefusesWhenAllAreStuckIfAskedTo) {
  const LogCapture log;
  auto pool =
      Make({.name = "compute", .min_threads = 1, .threads_max = 2, .refuse_when_stuck = true});
  ASSERT_TRUE(pool->Submit(blockers_.Make()).ok());
  ASSERT_TRUE(blockers_.WaitForInside(1));
  PassTime(1s);
  ASSERT_TRUE(pool->Submit(blockers_.Make()).ok());
  ASSERT_TRUE(blockers_.WaitForInside(2));
  ASSERT_TRUE(pool->Submit([] {}).ok());  // The second one is busy, not yet stuck.
  PassTime(1s);
  const Status refused = pool->Submit([] { FAIL(); });
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(refused.message().find("all 2 workers of pool 'compute'"), std::string_view::npos);
  blockers_.ReleaseAll();
  ASSERT_TRUE(Eventually([&] { return pool->Stats().stuck == 0; }));
  EXPECT_TRUE(pool->Submit([] {}).ok());
}

TEST_F(WorkerPoolTest, SurvivesExceptions) {
  const LogCapture log;
  auto pool = Make({.name = "thrower"});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pool->Submit([] { throw std::runtime_error("bang"); }).ok());
  }
  ASSERT_TRUE(pool->Submit([] {}).ok());
  EXPECT_TRUE(pool->Close(60s).ok());
  EXPECT_EQ(pool->Stats().run, 4U);
  EXPECT_EQ(pool->Stats().failed, 3U);
  EXPECT_TRUE(log.Contains("thrower: work threw"));
}

TEST_F(WorkerPoolTest, LeavesStuckWorkersToThemselves) {
  const LogCapture log;
  auto clock = std::make_unique<VirtualClock>();
  auto timers = std::make_unique<VirtualTimers>();
  auto pool = std::make_unique<WorkerPool>(WorkerPoolOptions{.name = "left"}, *clock, *timers);
  auto held = std::make_shared<int>(1);
  ASSERT_TRUE(pool->Submit([held, block = blockers_.Make()] { block(); }).ok());
  ASSERT_TRUE(blockers_.WaitForInside(1));
  ASSERT_TRUE(pool->Submit([held] { FAIL(); }).ok());
  const Status closed = pool->Close(0s);
  EXPECT_EQ(closed.code(), StatusCode::kDeadlineExceeded);
  EXPECT_NE(closed.message().find("1 workers"), std::string_view::npos);
  EXPECT_TRUE(log.Contains("'left'"));
  EXPECT_EQ(held.use_count(), 2);  // The work that waited is destroyed, the other one goes on.
  EXPECT_EQ(pool->Stats().stuck, 1U);
  pool.reset();
  timers.reset();
  clock.reset();
  blockers_.ReleaseAll();
  EXPECT_TRUE(Eventually([&] { return held.use_count() == 1; }));
}

TEST_F(WorkerPoolTest, CloseWaitsForQueuedWork) {
  auto pool = Make({.min_threads = 1});
  std::atomic<int> ran{0};
  ASSERT_TRUE(pool->Submit(blockers_.Make()).ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pool->Submit([&] { ++ran; }).ok());
  ASSERT_TRUE(blockers_.WaitForInside(1));
  std::thread releaser([&] { blockers_.ReleaseAll(); });
  EXPECT_TRUE(pool->Close(kNoDeadline).ok());
  releaser.join();
  EXPECT_EQ(ran, 10);
}

TEST_F(WorkerPoolTest, AWorkerMayCloseItsOwnPool) {
  const LogCapture log;
  auto pool = Make({});
  Notification closed;
  ASSERT_TRUE(pool->Submit([&] {
                    EXPECT_EQ(pool->Close(kNoDeadline).code(), StatusCode::kDeadlineExceeded);
                    closed.Notify();
                  })
                  .ok());
  ASSERT_TRUE(closed.WaitUntil(RealClock::MonotonicNow() + 60s));
}

TEST(WorkerPool, GrowsByARealTimer) {
  const LogCapture log;
  auto loop = ReactorThread::Start(RealClock::Instance());
  ASSERT_TRUE(loop.ok());
  Blockers blockers;
  WorkerPool pool({.min_threads = 1, .threads_max = 2, .stuck_after = 5ms}, RealClock::Instance(),
                  (*loop)->reactor());
  Notification ran;
  ASSERT_TRUE(pool.Submit(blockers.Make()).ok());
  ASSERT_TRUE(pool.Submit([&] { ran.Notify(); }).ok());
  EXPECT_TRUE(ran.WaitUntil(RealClock::MonotonicNow() + 60s));
  blockers.ReleaseAll();
  EXPECT_TRUE(pool.Close(60s).ok());
}

// Whatever the moment of the end, accepted work has run or is told to have been dropped.
TEST(WorkerPool, ClosesAtRandomPoints) {
  const LogCapture log;
  Random random(test::Seed());
  auto loop = ReactorThread::Start(RealClock::Instance());
  ASSERT_TRUE(loop.ok());
  for (int round = 0; round < 100; ++round) {
    WorkerPool pool({.min_threads = 1 + random.Below(3), .threads_max = 4, .stuck_after = 10us},
                    RealClock::Instance(), (*loop)->reactor());
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> ran{0};
    std::vector<std::thread> producers;
    for (int i = 0; i < 2; ++i) {
      producers.emplace_back([&] {
        while (pool.Submit([&ran] { ++ran; }).ok()) ++accepted;
      });
    }
    const std::uint64_t enough = random.Below(500);
    while (ran < enough) std::this_thread::yield();
    EXPECT_TRUE(pool.Close(60s).ok());
    for (auto& producer : producers) producer.join();
    ASSERT_EQ(ran, accepted);
  }
}

TEST_F(WorkerPoolTest, CloseWaitsAsLongAsWorkIsDone) {
  const auto pool = Make({.name = "slow", .min_threads = 1, .threads_max = 1});
  constexpr int kPieces = 25;
  std::atomic<int> run{0};
  for (int i = 0; i < kPieces; ++i) {
    ASSERT_TRUE(pool->Submit([&run] {
                      Notification never;
                      never.WaitUntil(RealClock::MonotonicNow() + 60ms);
                      ++run;
                    })
                    .ok());
  }
  EXPECT_TRUE(pool->Close(1s).ok()) << "each piece takes less than the grace";
  EXPECT_EQ(run, kPieces);
}

}  // namespace
}  // namespace cirein
