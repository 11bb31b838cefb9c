// SPDX-License-Identifier: Apache-2.0
#include "runtime/virtual_environment.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cirein {
namespace {

using namespace std::chrono_literals;

TEST(VirtualEnvironment, RunsEverythingAtItsMoment) {
  VirtualEnvironment world;
  const Environment environment = world.environment();
  std::vector<std::string> events;
  const TimePoint start = environment.clock.Now();
  environment.timers.RunAt(start + 2s, [&] {
    events.push_back("timer");
    EXPECT_EQ(environment.clock.Now(), start + 2s);
    EXPECT_TRUE(environment.callbacks.Submit([&] { events.push_back("callback"); }).ok());
    EXPECT_TRUE(environment.compute.Submit([&] { events.push_back("compute"); }).ok());
  });
  EXPECT_EQ(world.RunFor(1s), 0U);
  EXPECT_EQ(world.RunFor(5s), 3U);
  EXPECT_EQ(events, (std::vector<std::string>{"timer", "callback", "compute"}));
  EXPECT_EQ(environment.clock.Now(), start + 6s);
}

TEST(VirtualEnvironment, RunsUntilQuiet) {
  VirtualEnvironment world;
  int left = 100;
  std::function<void()> again = [&] {
    if (--left > 0) world.timers().RunAt(world.clock().Now() + 1s, again);
  };
  again();
  EXPECT_EQ(world.RunUntilQuiet(10s), 10U);
  EXPECT_EQ(world.RunUntilQuiet(), 89U);
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace cirein
