// SPDX-License-Identifier: Apache-2.0
#include "runtime/virtual_host.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/virtual_scheduler.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST(VirtualSchedulerTest, EventsHappenInTheOrderOfTimeAndOfPlanning) {
  VirtualScheduler world(1);
  std::vector<int> seen;
  world.RunAfter(20ms, [&] { seen.push_back(3); });
  world.RunAfter(10ms, [&] { seen.push_back(1); });
  world.RunAfter(10ms, [&] {
    seen.push_back(2);
    EXPECT_EQ(world.now(), VirtualScheduler::kStart + 10ms);
    world.RunAt(VirtualScheduler::kStart, [&] {
      seen.push_back(9);
      EXPECT_EQ(world.now(), VirtualScheduler::kStart + 10ms) << "time does not go back";
    });
  });
  const auto cancelled = world.RunAfter(15ms, [&] { seen.push_back(4); });
  EXPECT_TRUE(world.Cancel(cancelled));
  EXPECT_FALSE(world.Cancel(cancelled));
  while (world.RunOne()) {
  }
  EXPECT_THAT(seen, ElementsAre(1, 2, 9, 3));
  EXPECT_EQ(world.events(), 4U);
  EXPECT_FALSE(world.RunOne(VirtualScheduler::kStart + 1s));
  EXPECT_EQ(world.now(), VirtualScheduler::kStart + 1s);
}

TEST(VirtualSchedulerTest, TheDigestIsOfAllThatWasTold) {
  const auto digest = [](const std::vector<std::string>& lines, std::uint64_t number) {
    VirtualScheduler world(1);
    for (const std::string& line : lines) world.Say(line);
    world.Tell("who", "what", number);
    return world.digest();
  };
  EXPECT_EQ(digest({"a", "b"}, 1), digest({"a", "b"}, 1));
  EXPECT_NE(digest({"a", "b"}, 1), digest({"b", "a"}, 1));
  EXPECT_NE(digest({"a", "b"}, 1), digest({"a", "b"}, 2));
  EXPECT_NE(digest({"a", "b"}, 1), digest({"ab"}, 1));
}

class VirtualHostTest : public testing::Test {
 protected:
  static VirtualHost::Options Options() {
    VirtualHost::Options options;
    options.name = "host";
    options.piece_cpu = 1ms;
    return options;
  }
  void RunAll() {
    while (world_.RunOne()) {
    }
  }
  std::chrono::nanoseconds passed() const { return world_.now() - VirtualScheduler::kStart; }

  VirtualScheduler world_{7};
};

TEST_F(VirtualHostTest, PiecesTakeTheProcessorOneAfterTheOther) {
  VirtualHost host(world_, Options());
  std::vector<std::chrono::nanoseconds> at;
  for (int i = 0; i < 3; ++i) {
    host.Post(world_.now() + 10ms, "piece", [&] {
      at.push_back(passed());
      host.Charge(4ms);
    });
  }
  RunAll();
  EXPECT_THAT(at, ElementsAre(10ms, 15ms, 20ms));
  EXPECT_EQ(host.cpu_used(), 15ms);
  host.SetSlowness(10);
  host.Post(world_.now(), "piece", [] {});
  RunAll();
  EXPECT_EQ(host.cpu_used(), 25ms);
}

TEST_F(VirtualHostTest, APauseDelaysAndKeepsTheOrder) {
  VirtualHost host(world_, Options());
  std::vector<int> seen;
  host.PauseUntil(world_.now() + 100ms);
  host.Post(world_.now() + 1ms, "piece", [&] { seen.push_back(1); });
  host.Post(world_.now() + 100ms, "piece", [&] { seen.push_back(3); });
  host.Post(world_.now() + 2ms, "piece", [&] {
    seen.push_back(2);
    EXPECT_EQ(passed(), 101ms);
  });
  RunAll();
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST_F(VirtualHostTest, ItsClockIsItsOwn) {
  VirtualHost::Options options = Options();
  options.drift_ppm = 100'000;  // A tenth.
  options.clock_ahead = 5s;
  VirtualHost host(world_, std::move(options));
  const Environment environment = host.environment();
  const TimePoint begin = environment.clock.Now();
  EXPECT_EQ(begin, VirtualScheduler::kStart + 5s);
  bool ran = false;
  environment.timers.RunAt(begin + 11s, [&] {
    ran = true;
    EXPECT_GE(environment.clock.Now(), begin + 11s) << "a timer never runs before its time";
    EXPECT_NEAR(static_cast<double>(passed().count()), 1e10, 1e4);
  });
  const auto cancelled = environment.timers.RunAt(begin + 12s, [] { FAIL(); });
  EXPECT_TRUE(environment.timers.CancelTimer(cancelled));
  RunAll();
  EXPECT_TRUE(ran);
}

TEST_F(VirtualHostTest, ThreadsWakeUpLate) {
  VirtualHost host(world_, Options());
  std::chrono::nanoseconds at{0};
  ASSERT_TRUE(host.executor().Submit([&] { at = passed(); }).ok());
  EXPECT_EQ(at, 0ns) << "never inside the call";
  RunAll();
  EXPECT_GE(at, 1us);
  EXPECT_LE(at, 50us);
}

TEST_F(VirtualHostTest, EffectsLeaveAtTheEndOfThePiece) {
  VirtualHost host(world_, Options());
  std::chrono::nanoseconds left{0};
  host.Post(world_.now(), "piece", [&] {
    host.Emit([&] { left = passed(); });
    host.Charge(9ms);
  });
  RunAll();
  EXPECT_EQ(left, 10ms);
}

TEST_F(VirtualHostTest, ADeadOneDoesNothingMore) {
  VirtualHost host(world_, Options());
  const auto token = std::make_shared<int>(0);
  const Environment environment = host.environment();
  for (const auto wait : {1ms, 5ms}) {
    host.Post(world_.now() + wait, "piece", [&, token] {
      EXPECT_EQ(passed(), 1ms);
      host.Emit([] { FAIL() << "it was dead before the piece was over"; });
    });
  }
  environment.timers.RunAt(environment.clock.Now() + 4ms, [token] { FAIL(); });
  world_.RunAfter(1500us, [&] { host.Kill(); });
  RunAll();
  EXPECT_EQ(host.pieces(), 1U);
  EXPECT_EQ(environment.callbacks.Submit([] {}).code(), StatusCode::kUnavailable);
  EXPECT_EQ(environment.timers.RunAt(environment.clock.Now(), [] {}), 0U);
  host.Bury();
  EXPECT_EQ(token.use_count(), 1) << "what a dead process had is gone";
}

// Of a piece that stores three times and tells of each: killed after the second store, only what
// it told before the third has left.
TEST_F(VirtualHostTest, AKillInsideAPieceCutsItThere) {
  VirtualHost host(world_, Options());
  std::uint64_t stored = 0;
  host.SetMedium({[&] { return stored; }, [] { return 0ns; }});
  std::vector<std::uint64_t> told;
  std::uint64_t killed_at = 0;
  host.KillInside(
      10,
      [](std::uint64_t begin, std::uint64_t end) {
        EXPECT_EQ(begin, 1U);
        EXPECT_EQ(end, 4U);
        return 3U;
      },
      [&](std::uint64_t point) { killed_at = point; });
  host.Post(world_.now(), "no store", [&] { host.Emit([&] { told.push_back(0); }); });
  stored = 1;
  host.Post(world_.now() + 5ms, "three stores", [&] {
    for (int i = 0; i < 3; ++i) {
      ++stored;
      host.Emit([&told, point = stored] { told.push_back(point); });
    }
  });
  host.Post(world_.now() + 6ms, "never", [] { FAIL(); });
  RunAll();
  EXPECT_THAT(told, ElementsAre(0, 2, 3));
  EXPECT_EQ(killed_at, 3U);
  EXPECT_FALSE(host.alive());
}

TEST_F(VirtualHostTest, AnOrderToDieIsCarriedOutWithoutStoresToo) {
  VirtualHost host(world_, Options());
  bool killed = false;
  host.KillInside(
      2, [](std::uint64_t begin, std::uint64_t) { return begin; },
      [&](std::uint64_t) { killed = true; });
  int ran = 0;
  for (int i = 0; i < 5; ++i) host.Post(world_.now(), "piece", [&] { ++ran; });
  RunAll();
  EXPECT_TRUE(killed);
  EXPECT_EQ(ran, 3);
}

TEST_F(VirtualHostTest, APieceThatLooksAtTheClockForEverIsStopped) {
  VirtualHost::Options options = Options();
  options.piece_steps_max = 1000;
  VirtualHost host(world_, std::move(options));
  std::string told;
  VirtualHost::SetOnSpin([&](const std::string& what) { told = what; });
  bool ended = false;
  host.Post(world_.now(), "piece", [&] {
    const Clock& clock = host.environment().clock;
    while (clock.Now() < kEndOfTime) {
    }
    ended = true;
  });
  RunAll();
  VirtualHost::SetOnSpin(nullptr);
  EXPECT_FALSE(ended);
  EXPECT_THAT(told, testing::HasSubstr("host spins: 1000 steps"));
}

}  // namespace
}  // namespace cirein
