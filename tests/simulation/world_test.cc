// SPDX-License-Identifier: Apache-2.0
#include "simulation/world.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace cirein::simulation {
namespace {

using namespace std::chrono_literals;

/// Ticks each 10 ms, and writes the number of ticks of all its lives to its disk.
class Counter final : public Program {
 public:
  Counter(Process& process, std::unique_ptr<RegionSpace> disk, std::unique_ptr<Region> region)
      : process_(process), disk_(std::move(disk)), region_(std::move(region)) {
    Wait();
  }
  static Result<std::unique_ptr<Program>> Start(Process& process) {
    std::unique_ptr<RegionSpace> disk = process.machine.OpenDisk();
    auto region = disk->Open("count", RegionUse::kRecords, RegionSpace::Access::kReadWrite);
    if (region.code() == StatusCode::kNotFound) {
      region = disk->Create("count", 4096, RegionUse::kRecords);
      CIREIN_RETURN_IF_ERROR(disk->PersistNames(PersistSite::kFormat));
    }
    CIREIN_RETURN_IF_ERROR(region.status());
    return std::unique_ptr<Program>(
        std::make_unique<Counter>(process, std::move(disk), *std::move(region)));
  }

  std::uint64_t count() const { return region_->LoadWord(0); }
  bool MayCreate() {
    const bool may = disk_->Create("other", 4096, RegionUse::kRecords).ok();
    EXPECT_TRUE(!may || disk_->Remove("other").ok());
    return may;
  }
  int ticks = 0;

 private:
  void Wait() {
    const Environment environment = process_.host.environment();
    environment.timers.RunAt(environment.clock.Now() + 10ms, [this] {
      ++ticks;
      const std::uint64_t next = count() + 1;
      EXPECT_OK(region_->Write(0, std::as_bytes(std::span(&next, 1))));
      EXPECT_OK(region_->Persist(0, sizeof(next), PersistSite::kBatch));
      Wait();
    });
  }

  Process& process_;
  const std::unique_ptr<RegionSpace> disk_;
  const std::unique_ptr<Region> region_;
};

class WorldTest : public testing::Test {
 protected:
  WorldTest() : world_(7, fabric::CostModel::Tcp()) {
    for (const char* name : {"a", "b"}) {
      world_.AddMachine({.name = name,
                         .start = Counter::Start,
                         .allowed = {.may_stop = true, .may_lose_power = true, .may_fill = true}});
    }
    world_.Start();
  }
  void Plan(std::string_view text) {
    const Result<FaultPlan> plan = FaultPlan::Parse(text);
    ASSERT_OK(plan);
    ASSERT_OK(plan->Check(world_.Targets()));
    world_.Plan(*plan);
  }
  void RunTo(std::chrono::nanoseconds since_begin) {
    while (world_.scheduler().RunOne(VirtualScheduler::kStart + since_begin)) {
    }
    EXPECT_TRUE(world_.violations().empty());
  }
  Machine& machine(std::string_view name) { return *world_.FindMachine(name); }
  Counter& counter(std::string_view name) {
    return static_cast<Counter&>(*machine(name).program());
  }

  World world_;
};

TEST_F(WorldTest, WhatWasPersistedSurvivesAllEnds) {
  Plan("at 200ms kill a for 50ms\nat 600ms power a for 50ms\n");
  RunTo(500ms);
  ASSERT_NE(machine("a").program(), nullptr);
  EXPECT_EQ(machine("a").starts(), 2U);
  const std::uint64_t before = counter("a").count();
  // The end comes in the middle of one of the next ticks, which may have been stored.
  RunTo(1500ms);
  EXPECT_EQ(machine("a").starts(), 3U);
  EXPECT_GT(counter("a").count(), before);
  const auto ticked = static_cast<std::uint64_t>(counter("a").ticks);
  EXPECT_LE(counter("a").count() - before - ticked, 1500U / 10 - ticked);
  EXPECT_EQ(machine("b").starts(), 1U);
  EXPECT_EQ(counter("b").count(), static_cast<std::uint64_t>(counter("b").ticks));
}

TEST_F(WorldTest, APauseEndsAndSoDoesWhatIsSlow) {
  Plan("at 100ms pause a for 300ms\nat 500ms slow b by 1000 for 1s\n");
  RunTo(399ms);
  EXPECT_LE(counter("a").ticks, 10);
  RunTo(1s);
  EXPECT_GT(counter("a").ticks, 50);
  EXPECT_EQ(world_.longest_pause(), 300ms);
}

TEST_F(WorldTest, TheLongerOfTwoFaultsCounts) {
  Plan("at 100ms full a for 100ms\nat 150ms full a for 400ms\nat 160ms kill a for 10ms\n");
  RunTo(400ms);
  EXPECT_FALSE(counter("a").MayCreate()) << "it is full for the next process too";
  RunTo(600ms);
  EXPECT_TRUE(counter("a").MayCreate());
}

// Between two processes of a machine its clock moves as the world's does, if it runs on.
TEST_F(WorldTest, AClockMayRunOnFromOneProcessToTheNext) {
  for (const bool runs_on : {true, false}) {
    World world(7, fabric::CostModel::Tcp());
    std::vector<std::chrono::nanoseconds> ahead;  // Of the world's clock.
    Machine& machine =
        world.AddMachine({.name = "a",
                          .start = [&](Process& process) -> Result<std::unique_ptr<Program>> {
                            ahead.push_back(process.host.environment().clock.Now() - world.now());
                            return Counter::Start(process);
                          },
                          .clock_runs_on = runs_on});
    world.Start();
    for (int i = 0; i < 10; ++i) {
      const TimePoint end = world.now() + 500ms;
      world.scheduler().RunAfter(100ms, [&] { machine.Crash(Machine::End::kPower, 10ms); });
      while (world.scheduler().RunOne(end)) {
      }
    }
    ASSERT_GT(ahead.size(), 5U);
    const auto [least, most] = std::minmax_element(ahead.begin(), ahead.end());
    // Drift is at most 200 us each second.
    EXPECT_EQ(*most - *least < 5ms, runs_on);
  }
}

TEST_F(WorldTest, WhenAllIsHealedNothingIsWrongAnyMore) {
  Plan(
      "at 100ms pause a for 1h\nat 100ms full b for 1h\nat 110ms kill b for 1h\n"
      "at 900ms slow a by 1000 for 1h\nat 900ms kill a for 1h\n");
  RunTo(800ms);
  world_.HealAll();
  RunTo(3s);
  ASSERT_NE(machine("a").program(), nullptr);
  ASSERT_NE(machine("b").program(), nullptr);
  EXPECT_EQ(machine("a").starts(), 1U);
  EXPECT_LE(machine("b").starts(), 2U);
  EXPECT_GT(counter("a").ticks, 150);
  EXPECT_GT(counter("b").ticks, 150);
  EXPECT_TRUE(counter("b").MayCreate());
}

}  // namespace
}  // namespace cirein::simulation
