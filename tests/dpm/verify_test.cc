// SPDX-License-Identifier: Apache-2.0
#include "dpm/verify.h"

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dpm/dpm.h"
#include "dpm/index_words.h"
#include "dpm/log_scanner.h"
#include "region/shadow_space.h"
#include "support/dpm_user.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::dpm {
namespace {

using test::DpmUser;
using testing::HasSubstr;
using Write = DpmUser::Write;
using Medium = ShadowSpace::Medium;

constexpr std::uint64_t kSegment = 32 * 1024;
constexpr std::uint64_t kSegments = 16;
constexpr std::uint64_t kPoolId = 0x1234'5678'9ABC'DEF0;

CreateOptions SmallPool(Durability durability) {
  CreateOptions options;
  options.segment_bytes = kSegment;
  options.log_bytes = kSegments * kSegment;
  options.index_bytes = 1 << 20;
  options.extent_limit_bytes = 1 << 20;
  options.large_bytes = 8192;
  options.durability = durability;
  options.pool_id = kPoolId;
  options.created_ms = 1;
  return options;
}

std::string Text(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += finding.severity == Finding::Severity::kCorruption ? "corruption: " : "note: ";
    text += finding.what + "\n";
  }
  return text;
}

struct Setting {
  Medium medium;
  Durability durability;
};

class VerifyTest : public testing::TestWithParam<Setting> {
 protected:
  SpaceImage Create() {
    ShadowSpace space(GetParam().medium);
    EXPECT_OK(Dpm::Create(space, SmallPool(GetParam().durability)));
    return space.ProcessCrash(space.events());
  }

  std::unique_ptr<Dpm> Open(SpaceImage image, const std::string& boot = "boot-1") {
    auto space = std::make_unique<ShadowSpace>(GetParam().medium, boot, std::move(image));
    shadow_ = space.get();
    Findings findings;
    auto pool = Dpm::Open(std::move(space), {}, &findings);
    EXPECT_OK(pool.status());
    return pool.ok() ? std::move(*pool) : nullptr;
  }

  VerifyReport Verify(SpaceImage image, const std::string& boot = "boot-1") const {
    ShadowSpace space(GetParam().medium, boot, std::move(image));
    const auto report = VerifyPool(space);
    EXPECT_OK(report.status());
    EXPECT_EQ(space.events(), 0u) << "verify changed something";
    return report.ok() ? *report : VerifyReport();
  }

  /// A pool with one of everything, closed in order.
  SpaceImage Filled() {
    auto pool = Open(Create());
    {
      DpmUser user(*pool, 0);
      for (int i = 0; i < 40; ++i) {
        EXPECT_OK(user.Put("row" + std::to_string(i), std::string(200, 'a')));
      }
      EXPECT_OK(user.Put("row1", std::string(4500, 'b')));
      EXPECT_OK(user.Put("large", std::string(20'000, 'c')));
      EXPECT_OK(user.Apply({{Write::Kind::kPut, "hash", "one", "1", {}},
                            {Write::Kind::kPut, "hash", "two", "2", {}}}));
      EXPECT_OK(user.Apply({{Write::Kind::kPut, "gone row", "one", "1", {}}}));
      EXPECT_OK(user.Apply({{Write::Kind::kDropRow, "gone row", {}, {}, {}}}));
      EXPECT_OK(user.Drop("row7"));
      EXPECT_OK(user.Seal());
    }
    EXPECT_OK(pool->Close());
    return shadow_->ProcessCrash(shadow_->events());
  }

  ShadowSpace* shadow_ = nullptr;
};

void Flip(SpaceImage* image, const std::string& name, std::uint64_t offset) {
  (*image)[name].at(offset) ^= std::byte{0x40};
}

std::string OnlyExtent(const SpaceImage& image) {
  for (const auto& [name, bytes] : image) {
    if (name.starts_with(kExtentPrefix)) return name;
  }
  return "none";
}

TEST_P(VerifyTest, ANewPoolIsClean) {
  const VerifyReport report = Verify(Create());
  EXPECT_TRUE(report.findings.empty()) << Text(report.findings);
  EXPECT_EQ(report.summary.free_segments, kSegments);
  EXPECT_EQ(report.summary.objects, 0u);
}

TEST_P(VerifyTest, CountsWhatIsThere) {
  const SpaceImage image = Filled();
  const VerifyReport report = Verify(image);
  EXPECT_TRUE(report.clean()) << Text(report.findings);
  EXPECT_EQ(report.summary.entries, 47u);
  EXPECT_EQ(report.summary.objects, 42u);  // 39 rows, large, two columns.
  EXPECT_EQ(report.summary.gone, 2u);
  EXPECT_EQ(report.summary.extents, 1u);
  EXPECT_GT(report.summary.extent_bytes, 20'000u);
  EXPECT_EQ(report.payload_bytes, 24'500u);
  EXPECT_EQ(report.summary.open_segments, 0u);

  ShadowSpace space(GetParam().medium, "boot-2", image);
  const auto summary = InspectPool(space);
  ASSERT_OK(summary);
  EXPECT_EQ(space.events(), 0u);
  EXPECT_EQ(summary->log_bytes_used, report.summary.log_bytes_used);
  EXPECT_EQ(summary->sealed_segments, report.summary.sealed_segments);
  EXPECT_EQ(summary->extents, 1u);
  EXPECT_FALSE(summary->same_boot);
  EXPECT_EQ(summary->superblock.pool_id, kPoolId);
}

TEST_P(VerifyTest, WhatACrashLeavesIsClean) {
  const std::uint64_t seed = test::Seed();
  Random random(seed);
  SpaceImage image = Create();
  std::string boot = "boot-1";
  for (int round = 0; round < 6; ++round) {
    auto pool = Open(std::move(image), boot);
    ASSERT_NE(pool, nullptr);
    DpmUser user(*pool, 0);
    for (int i = 0; i < 120; ++i) {
      const std::string row = "row" + std::to_string(random.Below(40));
      Write write{Write::Kind::kPut, row, {}, std::string(random.Below(1500), 'x'), {}};
      if (random.Below(3) == 0) write.column = "column" + std::to_string(random.Below(4));
      if (random.Below(5) == 0) write.kind = Write::Kind::kDrop;
      if (random.Below(9) == 0) write = {Write::Kind::kDropRow, row, {}, {}, {}};
      if (random.Below(20) == 0) write.data = std::string(5000, 'l');
      ASSERT_OK(user.Apply({write}));
      if (random.Below(4) == 0) {
        ASSERT_OK(pool->Work(Dpm::Urgency::kNormal).status());
      }
      if (random.Below(30) == 0) {
        ASSERT_OK(pool->Work(Dpm::Urgency::kUrgent).status());
      }
      if (random.Below(10) == 0) {
        ASSERT_OK(pool->Sync());
      }
    }
    for (int crash = 0; crash < 12; ++crash) {
      const std::uint64_t point = random.Below(shadow_->events() + 1);
      const bool power_cut = (crash + round) % 2 == 0;
      image = power_cut ? shadow_->PowerCut(point, random, 2) : shadow_->ProcessCrash(point);
      const std::string next_boot = power_cut ? boot + "+" : boot;
      const VerifyReport report = Verify(image, next_boot);
      ASSERT_TRUE(report.clean()) << "seed " << seed << ", point " << point << "\n"
                                  << Text(report.findings);
      if (crash == 11) boot = next_boot;
    }
  }
}

TEST_P(VerifyTest, EveryDamagedByteOfTheLogIsFound) {
  const SpaceImage image = Filled();
  const VerifyReport good = Verify(image);
  for (std::uint64_t at = kFirstBatch; at < kFirstBatch + good.summary.log_bytes_used; at += 97) {
    SpaceImage damaged = image;
    Flip(&damaged, kLogName, at);
    EXPECT_FALSE(Verify(damaged).clean()) << at;
  }
}

TEST_P(VerifyTest, OneDamagedCopyOfARecordIsNoted) {
  SpaceImage image = Filled();
  Flip(&image, kControlName, 100);
  const VerifyReport report = Verify(image);
  EXPECT_TRUE(report.clean());
  EXPECT_THAT(Text(report.findings), HasSubstr("note: copy A of the superblock"));
}

TEST_P(VerifyTest, LostRecordsAndFilesAreFound) {
  const SpaceImage image = Filled();
  const ControlLayout layout{kSegments};
  SpaceImage damaged = image;
  Flip(&damaged, kControlName, layout.segment_record(0, 0) + 20);
  Flip(&damaged, kControlName, layout.segment_record(1, 0) + 20);
  EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("corruption: both copies of the record"));

  damaged = image;
  damaged.erase(kLogName);
  EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("'log' is missing"));
  damaged = image;
  damaged[kLogName].resize(damaged[kLogName].size() - 1);
  EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("cut off"));
  damaged = image;
  damaged.erase(kIndexName);
  EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("corruption: the pool's file 'index'"));
  damaged = image;
  damaged[kIndexName].resize(damaged[kIndexName].size() - kLine);
  EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("corruption: the file 'index' has"));
  damaged = image;
  Flip(&damaged, kIndexName, 20);
  EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("an open makes it anew"));
}

TEST_P(VerifyTest, AnIndexThatWasBeingMadeIsNoted) {
  auto pool = Open(Create());
  const SpaceImage image = shadow_->ProcessCrash(shadow_->events());
  for (const int how : {0, 1, 2}) {
    SpaceImage crashed = image;
    if (how == 0) crashed.erase(kIndexName);
    if (how == 1) crashed[kIndexName].resize(2 * crashed[kIndexName].size());
    if (how == 2) std::memset(crashed[kIndexName].data(), 0, sizeof(IndexHeader));
    const VerifyReport report = Verify(crashed);
    EXPECT_TRUE(report.clean()) << how;
    EXPECT_THAT(Text(report.findings), HasSubstr("an open makes it anew"));
  }
}

TEST_P(VerifyTest, WhatIsNoPoolIsAnError) {
  ShadowSpace nothing(GetParam().medium);
  EXPECT_CODE(VerifyPool(nothing), kNotFound);
  ShadowSpace nothing_again(GetParam().medium);
  EXPECT_CODE(InspectPool(nothing_again), kNotFound);
  SpaceImage image = Create();
  std::memset(image[kControlName].data(), 0, 2 * kPage);
  ShadowSpace unfinished(GetParam().medium, "boot-1", image);
  EXPECT_CODE(VerifyPool(unfinished), kFailedPrecondition);
}

TEST_P(VerifyTest, ExtentsAreCompared) {
  const SpaceImage image = Filled();
  const std::string name = OnlyExtent(image);
  SpaceImage damaged = image;
  Flip(&damaged, name, 12'345);
  EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("' is damaged"));
  damaged = image;
  damaged.erase(name);
  EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("is missing"));
  damaged = image;
  damaged[name].resize(damaged[name].size() - 8);
  EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("is not the large object"));
  damaged = image;
  damaged["extent-00000000000003ff"] = image.at(name);
  const VerifyReport orphan = Verify(damaged);
  EXPECT_TRUE(orphan.clean());
  EXPECT_THAT(Text(orphan.findings), HasSubstr("note: no object needs 'extent-00000000000003ff'"));
}

// Calls change(offset of the cell, its place) for each cell of the index that leads to an entry.
void ForEachCell(SpaceImage* image, const std::function<void(std::uint64_t, Cell)>& change) {
  std::vector<std::byte>& bytes = (*image)[kIndexName];
  const std::uint64_t heap = IndexLayout{kSegments}.heap();
  for (std::uint64_t at = heap; at < bytes.size(); at += sizeof(std::uint64_t)) {
    if ((at - heap) % kLine == kNextOffset) continue;
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    // Words of row nodes are no cells, but for few of them one could think so.
    const Cell cell(word);
    const std::span<const std::byte> log = image->at(kLogName);
    if (cell.empty() || cell.kind() != CellKind::kEntry || cell.place() >= log.size()) continue;
    const std::uint64_t segment = cell.place() / kSegment;
    const std::uint64_t place = cell.place() % kSegment;
    EntryView entry;
    if (EntryView::Parse(log.subspan(cell.place(), kSegment - place),
                         SegmentSeed(kPoolId, segment, 1), place, &entry)) {
      change(at, cell);
    }
  }
}

void SetWord(SpaceImage* image, std::uint64_t offset, std::uint64_t word) {
  std::memcpy((*image)[kIndexName].data() + offset, &word, sizeof word);
}

TEST_P(VerifyTest, EveryCellOfTheIndexCounts) {
  const SpaceImage image = Filled();
  std::vector<std::pair<std::uint64_t, Cell>> cells;
  SpaceImage copy = image;
  ForEachCell(&copy, [&](std::uint64_t at, Cell cell) { cells.emplace_back(at, cell); });
  ASSERT_GE(cells.size(), 42u);
  int older = 0;
  for (const auto& [at, cell] : cells) {
    // What was a table once, when the row had columns, is free now.
    if (EntryView::Trust(image.at(kLogName).data() + cell.place()).row() == "gone row") continue;
    SpaceImage damaged = image;
    SetWord(&damaged, at, 0);
    const VerifyReport missing = Verify(damaged);
    EXPECT_FALSE(missing.clean()) << "a cell was emptied at " << at;
    damaged = image;
    SetWord(&damaged, at, cell.To(CellKind::kEntry, cell.place() + 8).word());
    EXPECT_FALSE(Verify(damaged).clean()) << "a cell leads elsewhere at " << at;
    if (at != cells.front().first) {
      damaged = image;
      SetWord(&damaged, at, cell.To(CellKind::kEntry, cells.front().second.place()).word());
      const VerifyReport twice = Verify(damaged);
      EXPECT_FALSE(twice.clean()) << "a cell leads to another key at " << at;
    }
    const EntryView entry = EntryView::Trust(image.at(kLogName).data() + cell.place());
    if (entry.row() != "row1" || entry.version().counter < 40) continue;
    // The first entry of row1 is the second one of the log; each batch has one.
    const std::uint64_t first_batch =
        BatchView::Trust(image.at(kLogName).data() + kFirstBatch).header().bytes;
    damaged = image;
    SetWord(&damaged, at,
            cell.To(CellKind::kEntry, kFirstBatch + first_batch + sizeof(BatchHeader)).word());
    EXPECT_THAT(Text(Verify(damaged).findings), HasSubstr("has a newer one"));
    ++older;
  }
  EXPECT_EQ(older, 1);
}

TEST_P(VerifyTest, LiveBytesAreHints) {
  SpaceImage image = Filled();
  SetWord(&image, IndexLayout{kSegments}.segment_words(0) + 8, 5);
  const VerifyReport report = Verify(image);
  EXPECT_TRUE(report.clean());
  EXPECT_THAT(Text(report.findings), HasSubstr("note: segment 0: the index counts 5 live bytes"));
}

TEST_P(VerifyTest, AMergedMarkBeyondTheLogIsFound) {
  SpaceImage image = Filled();
  SetWord(&image, IndexLayout{kSegments}.segment_words(0), (std::uint64_t{1} << 32) | kSegment);
  EXPECT_THAT(Text(Verify(image).findings), HasSubstr("the index claims segment 0"));
  SetWord(&image, IndexLayout{kSegments}.segment_words(0), 0);
  EXPECT_THAT(Text(Verify(image).findings), HasSubstr("although the pool was closed"));
}

TEST_P(VerifyTest, AVersionGivenTwiceIsFound) {
  auto pool = Open(Create());
  for (const std::uint32_t shard : {0u, 1u}) {
    const auto writer = pool->NewWriter(shard);
    const EntryFields fields{
        .key = KeyView(Bucket(7), "row"), .slot = SlotOfRow("row"), .version = {pool->epoch(), 1}};
    Location location;
    ASSERT_OK(writer->Write(std::span(&fields, 1), std::span(&location, 1)));
  }
  ASSERT_OK(pool->Sync());
  EXPECT_THAT(Text(Verify(shadow_->ProcessCrash(shadow_->events())).findings),
              HasSubstr("was given twice"));
}

TEST_P(VerifyTest, WrongSlotsEpochsAndExtentsAreFound) {
  auto pool = Open(Create());
  const auto writer = pool->NewWriter(0);
  const auto write = [&](EntryFields fields) {
    Location location;
    ASSERT_OK(writer->Write(std::span(&fields, 1), std::span(&location, 1)));
  };
  const KeyView key(Bucket(7), "row");
  write({.key = key, .slot = 1, .version = {pool->epoch(), 1}});
  write({.key = key, .slot = SlotOfRow("row"), .version = {pool->epoch() + 1, 1}});
  write({.key = key, .slot = SlotOfRow("row"), .version = {pool->epoch(), 2}, .extent = 77});
  const std::string text = Text(Verify(shadow_->ProcessCrash(shadow_->events())).findings);
  EXPECT_THAT(text, HasSubstr("slot 1, but its row is of slot"));
  EXPECT_THAT(text, HasSubstr("but the pool's highest epoch is 1"));
  EXPECT_THAT(text, HasSubstr("names extent 0x4d, which was never made"));
}

INSTANTIATE_TEST_SUITE_P(Media, VerifyTest,
                         testing::Values(Setting{Medium::kFlushable, Durability::kProcess},
                                         Setting{Medium::kFlushable, Durability::kPower},
                                         Setting{Medium::kFile, Durability::kProcess},
                                         Setting{Medium::kFile, Durability::kPower}),
                         [](const testing::TestParamInfo<Setting>& setting) {
                           return std::string(setting.param.medium == Medium::kFile ? "File"
                                                                                    : "Flushable") +
                                  (setting.param.durability == Durability::kPower ? "Power"
                                                                                  : "Process");
                         });

}  // namespace
}  // namespace cirein::dpm
