// SPDX-License-Identifier: Apache-2.0

// Every call that persists is dropped in turn, and every rule that keeps data safe is broken in
// turn (base/sabotage.h): each time some crash must show it. What the general workloads cannot show
// has a scenario of its own.

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/sabotage.h"
#include "crash/checker.h"
#include "crash/script.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::crash {
namespace {

using cirein::Sabotage;
using dpm::Dpm;
using dpm::Durability;
using dpm::Finding;
using dpm::Findings;
using Medium = ShadowSpace::Medium;

constexpr std::array<Setting, 4> kSettings{{{Medium::kFlushable, Durability::kPower},
                                            {Medium::kFile, Durability::kPower},
                                            {Medium::kFlushable, Durability::kProcess},
                                            {Medium::kFile, Durability::kProcess}}};
constexpr std::uint64_t kSegments = 12;

/// What went wrong in a scenario; nullopt: nothing.
using Trouble = std::optional<std::string>;
using ScenarioOfItsOwn = std::function<Trouble(const Setting&, std::optional<PersistSite>)>;

class BreakingTest : public testing::Test {
 protected:
  void SetUp() override { std::setvbuf(stdout, nullptr, _IOLBF, 0); }
  void TearDown() override { sabotage = Sabotage::kNone; }

  /// The general workloads, with persists of a kind dropped, or a rule broken: the first trouble.
  Trouble General(std::optional<PersistSite> dropped, Random& random) {
    for (const Setting& setting : kSettings) {
      for (const Scenario& scenario : AllScenarios()) {
        Trouble trouble = OneWorkload(setting, scenario, dropped, random);
        if (trouble) return NameOf(setting) + " " + scenario.name + ": " + *trouble;
      }
    }
    return std::nullopt;
  }

 private:
  static Trouble OneWorkload(const Setting& setting, const Scenario& scenario,
                             std::optional<PersistSite> dropped, Random& random) {
    PoolRun run(setting, NewPool(setting, random() | 1, scenario.segments), "boot-1", Nothing());
    run.space().DropPersists(dropped);
    Status status = run.Open();
    const bool eager = sabotage == Sabotage::kMergePastMark;
    if (status.ok() && eager) {
      run.pool().SetOnCommit([&run](std::uint64_t) {
        static_cast<void>(run.pool().Work(Dpm::Urgency::kNormal).ok());
      });
    }
    Script script(scenario, random.Fork());
    if (status.ok()) status = script.Steps(run, scenario.steps);
    if (status.ok()) status = run.CheckNow();
    if (status.ok()) status = run.Close();
    if (!status.ok()) return status.ToString();
    Thoroughness thoroughness;
    thoroughness.points = 24;
    thoroughness.most_failures = 1;
    Checker checker(setting, random.Fork(), thoroughness);
    checker.DropPersists(dropped);
    checker.Sweep(run);
    if (checker.failures().empty()) return std::nullopt;
    return checker.failures().front();
  }
};

Trouble OpenImage(const Setting& setting, SpaceImage image, const std::string& boot,
                  std::unique_ptr<Dpm>* pool, Findings* findings) {
  auto space = std::make_unique<ShadowSpace>(setting.medium, boot, std::move(image));
  auto opened = Dpm::Open(std::move(space), {}, findings);
  if (!opened.ok()) return opened.status().ToString();
  *pool = std::move(*opened);
  return std::nullopt;
}

/// A pool that was just created, and the power is cut: it is there, whole.
Trouble CreateThenCut(const Setting& setting, std::optional<PersistSite> dropped) {
  ShadowSpace space(setting.medium);
  space.DropPersists(dropped);
  const Status created = Dpm::Create(space, TinyPool(setting, 99, kSegments));
  if (!created.ok()) return created.ToString();
  Random random(1);
  std::unique_ptr<Dpm> pool;
  Findings findings;
  return OpenImage(setting, space.PowerCut(space.events(), random, 0), "boot-2", &pool, &findings);
}

Write Put(const std::string& row, std::uint64_t seed, std::uint32_t bytes) {
  return {Write::Kind::kPut, row, {}, seed, bytes, {}};
}

/// Objects that were synced, an idle log, a power cut, and then a flipped bit in the last of them:
/// the mark says that this is damage, and not a torn tail.
Trouble DamageBelowTheMark(const Setting& setting, std::optional<PersistSite> dropped) {
  PoolRun run(setting, NewPool(setting, 98, kSegments), "boot-1", Nothing());
  run.space().DropPersists(dropped);
  Status status = run.Open();
  if (status.ok()) status = run.Apply(0, {Put(RowName(0, 0), 5, 300)});
  if (status.ok()) status = run.Sync();
  if (!status.ok()) return status.ToString();
  Random random(1);
  SpaceImage image = run.space().PowerCut(run.events(), random, 0);
  auto& log = image[dpm::kLogName];
  // The entry's data is the only run of such bytes in the log.
  const std::string data = DataFor(Put(RowName(0, 0), 5, 300));
  const auto* const needle = reinterpret_cast<const std::byte*>(data.data());  // NOLINT
  const auto at = std::search(log.begin(), log.end(), needle, needle + data.size());
  if (at == log.end()) return "what was synced is not there";
  *at ^= std::byte{1};
  std::unique_ptr<Dpm> pool;
  Findings findings;
  const Trouble refused = OpenImage(setting, std::move(image), "boot-2", &pool, &findings);
  if (refused) return std::nullopt;  // As it must be.
  return "damage of what was safe passed for a torn tail";
}

/// Both copies of a segment's record are damaged after a power cut: a repair finds what the segment
/// is by the header in the log.
Trouble RepairByTheHeader(const Setting& setting, std::optional<PersistSite> dropped) {
  PoolRun run(setting, NewPool(setting, 97, kSegments), "boot-1", Nothing());
  run.space().DropPersists(dropped);
  Status status = run.Open();
  if (status.ok()) status = run.Apply(0, {Put(RowName(0, 0), 5, 300)});
  if (status.ok()) status = run.Sync();
  if (!status.ok()) return status.ToString();
  Random random(1);
  SpaceImage image = run.space().PowerCut(run.events(), random, 0);
  const dpm::ControlLayout layout{kSegments};
  for (std::uint64_t segment = 0; segment < kSegments; ++segment) {
    for (const int copy : {0, 1}) {
      image[dpm::kControlName][layout.segment_record(copy, segment) + 9] ^= std::byte{1};
    }
  }
  auto space = std::make_unique<ShadowSpace>(setting.medium, "boot-2", std::move(image));
  Findings findings;
  dpm::OpenOptions options;
  options.repair = dpm::OpenOptions::Repair::kYes;
  auto pool = Dpm::Open(std::move(space), options, &findings);
  if (!pool.ok()) return pool.status().ToString();
  dpm::ReadEpochs::Reader reader = (*pool)->read_epochs().NewReader();
  const auto seen = Observe(**pool, reader);
  if (!seen.ok()) return seen.status().ToString();
  if (seen->shards[0].late.empty()) return "the repair saved nothing";
  return std::nullopt;
}

/// A writer was paused in the middle of a write, the pool was recovered without that batch, and
/// then the rest of its bytes arrive. What was answered absent must stay absent, also when the
/// index is made anew.
Trouble LateBytes(const Setting& setting, std::optional<PersistSite> dropped) {
  PoolRun run(setting, NewPool(setting, 96, kSegments), "boot-1", Nothing());
  run.space().DropPersists(dropped);
  Status status = run.Open();
  if (status.ok()) status = run.Apply(0, {Put(RowName(0, 0), 5, 300)});
  if (status.ok()) status = run.Sync();
  const std::uint64_t before = run.events();
  if (status.ok()) status = run.Apply(0, {Put(RowName(0, 1), 6, 2000)});
  if (!status.ok()) return status.ToString();
  const SpaceImage whole = run.space().ProcessCrash(run.events());
  SpaceImage torn = run.space().ProcessCrash(before, 1000);

  std::unique_ptr<Dpm> pool;
  Findings findings;
  Trouble trouble = OpenImage(setting, torn, "boot-1", &pool, &findings);
  if (trouble) return trouble;
  dpm::ReadEpochs::Reader reader = pool->read_epochs().NewReader();
  const auto first = Observe(*pool, reader);
  if (!first.ok()) return first.status().ToString();
  auto& shadow = dynamic_cast<ShadowSpace&>(pool->space());
  SpaceImage late = shadow.ProcessCrash(shadow.events());
  const auto& from = whole.at(dpm::kLogName);
  auto& to = late[dpm::kLogName];
  const auto& was = torn.at(dpm::kLogName);
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (from[i] != was[i]) to[i] = from[i];
  }
  // The index is lost as well.
  late.erase(dpm::kIndexName);
  std::unique_ptr<Dpm> again;
  trouble = OpenImage(setting, std::move(late), "boot-1", &again, &findings);
  if (trouble) return trouble;
  dpm::ReadEpochs::Reader later = again->read_epochs().NewReader();
  const auto second = Observe(*again, later);
  if (!second.ok()) return second.status().ToString();
  if (first->shards[0].late == second->shards[0].late) return std::nullopt;
  return "a batch that was cut came back";
}

/// What was merged, and marked so, is not merged again after a power cut where the index is
/// believed. (Not a matter of safety: merging again changes nothing. Of time: a large pool opens at
/// once.)
Trouble MergeOnlyOnce(const Setting& setting, std::optional<PersistSite> dropped) {
  if (!setting.flushable() || !setting.power()) return std::nullopt;
  PoolRun run(setting, NewPool(setting, 95, kSegments), "boot-1", Nothing());
  run.space().DropPersists(dropped);
  Status status = run.Open();
  constexpr std::uint64_t kWrites = 100;
  for (std::uint64_t i = 0; i < kWrites && status.ok(); ++i) {
    status = run.Apply(0, {Put(RowName(0, i % kRowsPerShard), i, 20)});
  }
  while (status.ok()) {
    const auto done = run.pool().Work(Dpm::Urgency::kNormal);
    status = done.status();
    if (done.ok() && !done->any()) break;
  }
  if (!status.ok()) return status.ToString();
  Random random(1);
  std::unique_ptr<Dpm> pool;
  Findings findings;
  Trouble trouble =
      OpenImage(setting, run.space().PowerCut(run.events(), random, 0), "boot-2", &pool, &findings);
  if (trouble) return trouble;
  if (pool->index().GetStats().probed_buckets < kWrites) return std::nullopt;
  return "all was merged again";
}

Trouble InAnySetting(const ScenarioOfItsOwn& scenario, std::optional<PersistSite> dropped) {
  for (const Setting& setting : kSettings) {
    if (Trouble trouble = scenario(setting, dropped)) return NameOf(setting) + ": " + *trouble;
  }
  return std::nullopt;
}

TEST_F(BreakingTest, NothingIsWrongWithNothingBroken) {
  for (const ScenarioOfItsOwn& scenario :
       {ScenarioOfItsOwn(CreateThenCut), ScenarioOfItsOwn(DamageBelowTheMark),
        ScenarioOfItsOwn(RepairByTheHeader), ScenarioOfItsOwn(LateBytes),
        ScenarioOfItsOwn(MergeOnlyOnce)}) {
    const Trouble trouble = InAnySetting(scenario, std::nullopt);
    EXPECT_FALSE(trouble) << *trouble;
  }
}

class DroppedPersist : public BreakingTest, public testing::WithParamInterface<std::size_t> {};

TEST_P(DroppedPersist, IsCaught) {
  const auto site = static_cast<PersistSite>(GetParam());
  Random random(test::Seed());
  Trouble trouble;
  if (site == PersistSite::kFormat) trouble = InAnySetting(CreateThenCut, site);
  if (site == PersistSite::kMark) trouble = InAnySetting(DamageBelowTheMark, site);
  if (site == PersistSite::kMergedMark) trouble = InAnySetting(MergeOnlyOnce, site);
  if (site == PersistSite::kSegmentHeader) trouble = InAnySetting(RepairByTheHeader, site);
  if (!trouble) trouble = General(site, random);
  ASSERT_TRUE(trouble) << "dropping '" << PersistSiteName(site) << "' changes nothing";
  std::printf("%s dropped: %s\n", PersistSiteName(site), trouble->c_str());
}

// Those of a pool: a remote persist is another process's.
INSTANTIATE_TEST_SUITE_P(
    Sites, DroppedPersist,
    testing::Range<std::size_t>(0, static_cast<std::size_t>(PersistSite::kRemote)),
    [](const testing::TestParamInfo<std::size_t>& test) {
      std::string name = PersistSiteName(static_cast<PersistSite>(test.param));
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

class BrokenRule : public BreakingTest, public testing::WithParamInterface<Sabotage> {};

TEST_P(BrokenRule, IsCaught) {
  Random random(test::Seed());
  sabotage = GetParam();
  Trouble trouble;
  if (GetParam() == Sabotage::kEndsNotRecorded) trouble = InAnySetting(LateBytes, std::nullopt);
  if (GetParam() == Sabotage::kTornIsAlwaysFine) {
    trouble = InAnySetting(DamageBelowTheMark, std::nullopt);
  }
  if (!trouble) trouble = General(std::nullopt, random);
  sabotage = Sabotage::kNone;
  ASSERT_TRUE(trouble) << "breaking the rule changes nothing";
  std::printf("caught: %s\n", trouble->c_str());
}

std::string NameOfRule(const testing::TestParamInfo<Sabotage>& rule) {
  constexpr std::array kNames{"None",
                              "UnseededChecksums",
                              "EndsNotRecorded",
                              "MergePastMark",
                              "TornIsAlwaysFine",
                              "HalfGroups",
                              "TrustUnsyncedIndex",
                              "ReuseEpoch",
                              "ForgetGoneEarly",
                              "IgnoreClockFloor",
                              "RowEntryHidesNothing",
                              "FreeBeforeSync"};
  return kNames[static_cast<std::size_t>(rule.param)];
}

INSTANTIATE_TEST_SUITE_P(Rules, BrokenRule,
                         testing::Values(Sabotage::kUnseededChecksums, Sabotage::kEndsNotRecorded,
                                         Sabotage::kMergePastMark, Sabotage::kTornIsAlwaysFine,
                                         Sabotage::kHalfGroups, Sabotage::kTrustUnsyncedIndex,
                                         Sabotage::kReuseEpoch, Sabotage::kForgetGoneEarly,
                                         Sabotage::kIgnoreClockFloor,
                                         Sabotage::kRowEntryHidesNothing,
                                         Sabotage::kFreeBeforeSync),
                         NameOfRule);

}  // namespace
}  // namespace cirein::crash
