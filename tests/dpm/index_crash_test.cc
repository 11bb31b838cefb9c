// SPDX-License-Identifier: Apache-2.0
// Power cuts on a medium that is flushed by cache lines: whatever subset of them was written, the
// index opens, and applying again what came after the last PersistLinks makes it what it was.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dpm/index.h"
#include "dpm/index_fixture.h"
#include "dpm/index_words.h"
#include "region/shadow_space.h"
#include "support/seed.h"

namespace cirein::dpm::test {
namespace {

// Something the writer does.
struct Action {
  Index::Op op;
  bool forget = false;
};

// Where in the shadow's history something was.
struct Moment {
  std::uint64_t event = 0;
  std::size_t actions = 0;
};

class IndexCrashTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kHeapLines = 192;

  Index::Options Options() {
    Index::Options options;
    options.log = log_.bytes();
    options.segment_bytes = kSegmentBytes;
    options.pool_id = kPoolId;
    options.segments = log_.segments();
    options.epochs = &epochs_;
    options.persist = true;
    return options;
  }
  std::uint64_t RegionBytes() const {
    return IndexLayout{log_.segments()}.heap() + kHeapLines * kLine;
  }

  // Names of columns that fall into one chain of any table here, so that keys change lines when
  // they go and come again.
  static std::vector<std::string> CollidingColumns(std::size_t count) {
    std::vector<std::string> names;
    for (int i = 0; names.size() < count; ++i) {
      if (ColumnHash(std::to_string(i)) >> 56 == 0) names.push_back(std::to_string(i));
    }
    return names;
  }

  // Versions go up; a forgotten key was the newest of its name, so nothing older comes after it.
  std::vector<Action> History(Random& random, std::size_t count) {
    std::vector<Action> actions;
    std::map<std::string, Index::Op> gone;
    columns_ = CollidingColumns(random.OneIn(2) ? 8 : 24);
    for (int i = 0; i < 8; ++i) columns_.push_back(std::to_string(i));
    for (std::uint64_t version = 1; actions.size() < count; ++version) {
      const std::string row(1 + random.Below(3) * 40, static_cast<char>('a' + random.Below(4)));
      const std::string column = columns_[random.Below(columns_.size())];
      const auto slot = static_cast<std::uint16_t>(row[0] % 2);
      const bool whole = random.OneIn(3);
      const KeyView key = whole ? RowKey(row) : ColumnKey(row, column);
      const std::string name = row + (whole ? "" : "|" + column);
      if (random.OneIn(25)) {
        Index::Op op = log_.Row(row, version, version, slot);
        actions.push_back({op, false});
        std::erase_if(gone, [&](const auto& old) { return old.second.entry.row() == row; });
        if (random.OneIn(2)) actions.push_back({op, true});
      } else if (random.OneIn(2)) {
        actions.push_back({log_.Gone(key, version, slot), false});
        gone.insert_or_assign(name, actions.back().op);
      } else {
        actions.push_back({log_.Object(key, version, slot), false});
        gone.erase(name);
      }
      if (random.OneIn(3) && !gone.empty()) {
        const auto forgotten =
            std::next(gone.begin(), static_cast<std::ptrdiff_t>(random.Below(gone.size())));
        actions.push_back({forgotten->second, true});
        gone.erase(forgotten);
      }
    }
    return actions;
  }

  static void Do(Index& index, const Action& action) {
    Index::Op op = action.op;
    if (action.forget) {
      (void)index.Forget(op.entry, op.location);
    } else {
      ASSERT_EQ(index.Apply({&op, 1}, {}), 1U);
    }
  }
  // Twice the same place would be one key in two cells.
  static std::multiset<std::uint64_t> Content(const Index& index) {
    std::multiset<std::uint64_t> content;
    for (std::uint16_t slot = 0; slot < 2; ++slot) {
      index.WalkSlot(slot, [&](const Index::Found& found) {
        content.insert(found.location.offset);
        return true;
      });
    }
    return content;
  }

  // One run over a shadow, then crashes at many points; what went wrong, or empty.
  std::string RunAndCrash(std::uint64_t seed, std::optional<PersistSite> dropped,
                          std::uint64_t crashes);
  std::string CheckCrash(const SpaceImage& image, std::span<const Action> actions, Moment persisted,
                         Moment done, const std::multiset<std::uint64_t>& expected);

  ReadEpochs epochs_;
  Log log_{64};
  std::vector<std::string> columns_;
};

std::string IndexCrashTest::CheckCrash(const SpaceImage& image, std::span<const Action> actions,
                                       Moment persisted, Moment done,
                                       const std::multiset<std::uint64_t>& expected) {
  ShadowSpace space(ShadowSpace::Medium::kFlushable, "boot-2", image);
  auto region = space.Open(kIndexName, RegionUse::kWords, RegionSpace::Access::kReadWrite);
  if (!region.ok()) return region.status().ToString();
  auto opened = Index::Open(std::move(*region), Options());
  if (!opened.ok()) return opened.status().ToString();
  Index& index = **opened;
  const std::uint64_t merged = index.merged(1, 1);
  if (merged < persisted.actions) return "a mark that was persisted is not there";
  if (merged > done.actions) return "a mark is there that was never stored";
  // The mark may be further than what was seen to be persistent, never further than its links.
  for (std::size_t i = merged; i < done.actions; ++i) Do(index, actions[i]);
  const auto content = Content(index);
  if (content != expected) return "what is in it differs after applying again";
  if (const auto stats = index.GetStats(); stats.keys > content.size())
    return "keys are counted twice";
  // Nothing is left of it when all of it is forgotten.
  for (std::size_t i = actions.size(); i-- > 0;) {
    (void)index.Forget(actions[i].op.entry, actions[i].op.location);
  }
  (void)index.PersistLinks();
  index.Reclaim();
  if (index.GetStats().used_bytes != 0) return "lines are left over";
  return {};
}

std::string IndexCrashTest::RunAndCrash(std::uint64_t seed, std::optional<PersistSite> dropped,
                                        std::uint64_t crashes) {
  Random random(seed);
  log_.Restart();
  ShadowSpace space(ShadowSpace::Medium::kFlushable);
  auto index =
      Index::Format(space.Create(kIndexName, RegionBytes(), RegionUse::kWords).value(), Options())
          .value();
  if (!space.PersistNames(PersistSite::kFormat).ok()) return "names";
  space.DropPersists(dropped);
  const std::vector<Action> actions = History(random, 50 + random.Below(400));
  std::vector<Moment> persisted{{space.events(), 0}};
  std::vector<Moment> done{{space.events(), 0}};
  std::vector<std::multiset<std::uint64_t>> content{{}};
  for (const Action& action : actions) {
    Do(*index, action);
    done.push_back({space.events(), done.size()});
    content.push_back(Content(*index));
    if (random.OneIn(4)) index->Reclaim();
    if (!random.OneIn(12)) continue;
    // As the merger does: links, then the mark; then what waited for both can be used again.
    if (!index->PersistLinks().ok() || !index->SetMerged(1, 1, done.back().actions).ok()) {
      return "persist";
    }
    index->Reclaim();
    persisted.push_back({space.events(), done.back().actions});
  }
  for (std::uint64_t i = 0; i < crashes; ++i) {
    const std::uint64_t first = persisted[0].event;
    const std::uint64_t point = first + random.Below(space.events() - first + 1);
    const auto before = [&](const std::vector<Moment>& moments) {
      return std::prev(std::partition_point(moments.begin(), moments.end(),
                                            [&](const Moment& m) { return m.event <= point; }));
    };
    // What was under way at the point may be on the medium already: all of it is applied again.
    auto last = before(done);
    if (last->event < point && std::next(last) != done.end()) ++last;
    const auto& expected = content[last->actions];
    const SpaceImage image =
        space.PowerCut(point, random, 1 + static_cast<std::uint32_t>(random.Below(4)) % 4);
    const std::string wrong = CheckCrash(image, actions, *before(persisted), *last, expected);
    if (!wrong.empty()) return wrong + " (event " + std::to_string(point) + ")";
  }
  return {};
}

TEST_F(IndexCrashTest, AnySubsetOfLinesOpensAndIsMadeWhole) {
  const std::uint64_t seed = cirein::test::Seed();
  for (std::uint64_t run = 0; run < 30; ++run) {
    ASSERT_EQ(RunAndCrash(seed + run, std::nullopt, 60), "") << "run " << run;
  }
}

TEST_F(IndexCrashTest, EveryDroppedPersistIsNoticed) {
  const std::uint64_t seed = cirein::test::Seed();
  for (const PersistSite site :
       {PersistSite::kIndexBody, PersistSite::kIndexLinks, PersistSite::kMergedMark}) {
    bool noticed = false;
    for (std::uint64_t run = 0; run < 50 && !noticed; ++run) {
      noticed = !RunAndCrash(seed + run, site, 60).empty();
    }
    EXPECT_TRUE(noticed) << PersistSiteName(site);
  }
}

// A key that goes from one line of a chain and comes back in another must not be in both.
TEST_F(IndexCrashTest, AKeyThatComesBackIsThereOnce) {
  ShadowSpace space(ShadowSpace::Medium::kFlushable);
  auto index =
      Index::Format(space.Create(kIndexName, RegionBytes(), RegionUse::kWords).value(), Options())
          .value();
  ASSERT_TRUE(space.PersistNames(PersistSite::kFormat).ok());
  std::vector<Action> actions;
  for (const std::string& column : CollidingColumns(20)) {
    actions.push_back({log_.Gone(ColumnKey("r", column), 1 + actions.size(), 0), false});
  }
  for (const Action& action : actions) Do(*index, action);
  ASSERT_TRUE(index->PersistLinks().ok());
  const std::uint64_t persisted = space.events();
  const std::size_t done = actions.size();
  // The first of the chain goes, so that the last one, when it comes back, takes its place.
  actions.push_back({actions[0].op, true});
  actions.push_back({actions[done - 1].op, true});
  actions.push_back({log_.Object(actions[done - 1].op.entry.key(), 100, 0), false});
  const std::span<const Action> again = std::span(actions).subspan(done);
  for (const Action& action : again) Do(*index, action);
  const auto expected = Content(*index);
  ASSERT_EQ(expected.size(), 19U);
  Random random(cirein::test::Seed());
  for (std::uint64_t point = persisted; point <= space.events(); ++point) {
    for (std::uint32_t i = 0; i < 50; ++i) {
      ShadowSpace crashed(ShadowSpace::Medium::kFlushable, "boot-2",
                          space.PowerCut(point, random, 1 + i % 3));
      auto region = crashed.Open(kIndexName, RegionUse::kWords, RegionSpace::Access::kReadWrite);
      auto opened = Index::Open(std::move(region).value(), Options());
      ASSERT_TRUE(opened.ok()) << opened.status().ToString();
      for (const Action& action : again) Do(**opened, action);
      ASSERT_EQ(Content(**opened), expected) << "event " << point;
    }
  }
}

// Format over an index that was there: at every point either is there whole, or none.
TEST_F(IndexCrashTest, FormatLeavesTheOldOneTheNewOneOrNone) {
  const std::uint64_t seed = cirein::test::Seed();
  Random random(seed);
  ShadowSpace space(ShadowSpace::Medium::kFlushable);
  auto old =
      Index::Format(space.Create(kIndexName, RegionBytes(), RegionUse::kWords).value(), Options())
          .value();
  ASSERT_TRUE(space.PersistNames(PersistSite::kFormat).ok());
  for (const Action& action : History(random, 300)) Do(*old, action);
  ASSERT_TRUE(old->PersistAll().ok());
  const auto content = Content(*old);
  old.reset();
  const std::uint64_t first = space.events();
  auto region = space.Open(kIndexName, RegionUse::kWords, RegionSpace::Access::kReadWrite);
  ASSERT_TRUE(region.ok());
  const auto fresh = Index::Format(std::move(*region), Options());
  ASSERT_TRUE(fresh.ok());
  std::set<int> seen;
  for (std::uint64_t point = first; point <= space.events(); ++point) {
    for (int i = 0; i < 20; ++i) {
      ShadowSpace crashed(ShadowSpace::Medium::kFlushable, "boot-2",
                          space.PowerCut(point, random, 1 + static_cast<std::uint32_t>(i % 4)));
      auto left = crashed.Open(kIndexName, RegionUse::kWords, RegionSpace::Access::kReadWrite);
      ASSERT_TRUE(left.ok());
      const auto opened = Index::Open(std::move(*left), Options());
      if (!opened.ok()) {
        seen.insert(0);
        continue;
      }
      const auto found = Content(**opened);
      ASSERT_TRUE(found.empty() || found == content) << "event " << point;
      seen.insert(found.empty() ? 1 : 2);
    }
  }
  EXPECT_EQ(seen, (std::set<int>{0, 1, 2}));
}

}  // namespace
}  // namespace cirein::dpm::test
