// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

#include "crash/checker.h"
#include "crash/script.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::crash {
namespace {

using Medium = ShadowSpace::Medium;
using dpm::Durability;

// In all four settings together at least 10,000.
constexpr std::uint64_t kLeastImages = 2500;

/// How many times as much as usual: CIREIN_CRASH_ROUNDS, for nights.
std::uint64_t Rounds() {
  const char* const given = std::getenv("CIREIN_CRASH_ROUNDS");
  return given == nullptr ? 1 : std::max<std::uint64_t>(1, std::strtoull(given, nullptr, 0));
}

class CrashImages : public testing::TestWithParam<Setting> {};

TEST_P(CrashImages, HoldWhatWasAcknowledged) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::uint64_t seed = test::Seed();
  Random random(seed);
  Checker checker(GetParam(), random.Fork(), {});
  PoolRun::Counts sum;
  for (std::uint64_t round = 0; round < Rounds() || checker.distinct() < kLeastImages; ++round) {
    for (const Scenario& scenario : AllScenarios()) {
      SCOPED_TRACE(scenario.name);
      PoolRun run(GetParam(), NewPool(GetParam(), random() | 1, scenario.segments), "boot-1",
                  Nothing());
      ASSERT_OK(run.Open());
      Script script(scenario, random.Fork());
      ASSERT_OK(script.Steps(run, scenario.steps));
      ASSERT_OK(run.CheckNow());
      ASSERT_OK(run.Close());
      checker.Sweep(run);
      for (const std::string& failure : checker.failures()) {
        ADD_FAILURE() << scenario.name << ": " << failure;
      }
      if (checker.done()) return;
      std::printf(
          "%s: %llu events, %llu groups, %llu cleaned, %llu freed, %llu forgotten, %llu full;"
          " %llu images, %llu opened\n",
          scenario.name, static_cast<unsigned long long>(run.events()),
          static_cast<unsigned long long>(run.counts().groups),
          static_cast<unsigned long long>(run.counts().cleaned),
          static_cast<unsigned long long>(run.counts().freed),
          static_cast<unsigned long long>(run.counts().forgotten),
          static_cast<unsigned long long>(run.counts().full),
          static_cast<unsigned long long>(checker.distinct()),
          static_cast<unsigned long long>(checker.opened()));
      sum.cleaned += run.counts().cleaned;
      sum.freed += run.counts().freed;
      sum.forgotten += run.counts().forgotten;
    }
  }
  // Else the workloads have become too harmless.
  EXPECT_GT(sum.cleaned, 0u);
  EXPECT_GT(sum.freed, 0u);
  EXPECT_GT(sum.forgotten, 0u);
  EXPECT_GE(checker.distinct(), kLeastImages);
}

INSTANTIATE_TEST_SUITE_P(Media, CrashImages,
                         testing::Values(Setting{Medium::kFlushable, Durability::kProcess},
                                         Setting{Medium::kFlushable, Durability::kPower},
                                         Setting{Medium::kFile, Durability::kProcess},
                                         Setting{Medium::kFile, Durability::kPower}),
                         [](const testing::TestParamInfo<Setting>& test) {
                           return NameOf(test.param);
                         });

}  // namespace
}  // namespace cirein::crash
