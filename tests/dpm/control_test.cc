// SPDX-License-Identifier: Apache-2.0
#include "dpm/control.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "dpm/log_scanner.h"
#include "dpm/memory_region.h"
#include "region/shadow_space.h"
#include "runtime/thread_group.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::dpm {
namespace {

using test::MemoryRegion;
using testing::HasSubstr;
using Words = std::shared_ptr<MemoryRegion::Words>;

constexpr std::uint64_t kSegments = kMinSegments;
constexpr std::uint64_t kSegmentBytes = kMinSegmentBytes;
constexpr ControlLayout kLayout{kSegments};

Superblock NewSuperblock() {
  Superblock superblock{};
  superblock.durability = static_cast<std::uint32_t>(Durability::kPower);
  superblock.pool_id = 0xABCD'EF01'2345'6789;
  superblock.segment_bytes = kSegmentBytes;
  superblock.segments = kSegments;
  superblock.index_bytes = 1 << 20;
  superblock.state = static_cast<std::uint32_t>(PoolState::kOpen);
  superblock.next_incarnation = 1;
  return superblock;
}

void Unchanged(Superblock& /*superblock*/) {}

SegmentRecord SealedRecord(std::uint64_t generation) {
  SegmentRecord record{};
  record.generation = generation;
  record.incarnation = 100 + generation;
  record.sequence = 5;
  // In the second half, so that a record of which half is written is torn.
  record.shard = static_cast<std::uint32_t>(generation);
  record.state = static_cast<std::uint32_t>(SegmentState::kSealed);
  record.end = 8192;
  return record;
}

std::vector<SlotRoot> Roots(std::size_t count, std::uint64_t epoch) {
  SlotRoot root{};
  root.epoch = epoch;
  root.clock_floor_ms = epoch * 1000;
  root.incarnation = 9;
  return std::vector<SlotRoot>(count, root);
}

std::unique_ptr<MemoryRegion> ControlRegion(const Words& words) {
  return std::make_unique<MemoryRegion>("control", words);
}

// A pool of two files in memory, that a test damages and opens.
struct Files {
  Words control = MemoryRegion::NewBytes(kLayout.bytes());
  Words log = MemoryRegion::NewBytes(kSegments * kSegmentBytes);
  Findings findings;

  Files() {
    auto made = Control::Format(ControlRegion(control), NewSuperblock());
    EXPECT_OK(made);
    EXPECT_OK((*made)->UpdateSuperblock(Unchanged));
    EXPECT_OK((*made)->WriteRecord(3, SealedRecord(4)));
    EXPECT_OK((*made)->WriteSlotRoots(70, Roots(3, 6)));
  }

  Result<std::unique_ptr<Control>> Open(Control::Mend mend = Control::Mend::kNo,
                                        Control::Damage damage = Control::Damage::kFail) {
    findings.clear();
    const MemoryRegion log_region("log", log);
    return Control::Open(ControlRegion(control), log_region, mend, damage, &findings);
  }
  std::byte& at(std::uint64_t offset) {
    return std::as_writable_bytes(std::span(*control))[offset];
  }
  template <typename T>
  T& as(std::uint64_t offset) {
    return *reinterpret_cast<T*>(&at(offset));  // NOLINT: the words are aligned.
  }
  Superblock& superblock(int copy) { return as<Superblock>(ControlLayout::superblock(copy)); }
  // Changes both copies of the superblock, with a right checksum.
  void ChangeSuperblock(const std::function<void(Superblock*)>& change) {
    for (const int copy : {0, 1}) {
      Superblock& s = superblock(copy);
      change(&s);
      s.checksum = Checksum64(std::as_bytes(std::span(&s, 1)).subspan(16),
                              PlaceSeed(0, Place::kSuperblock, 0));
    }
  }
};

void ExpectAsMade(const Control& control) {
  EXPECT_EQ(control.pool_id(), NewSuperblock().pool_id);
  EXPECT_EQ(control.record(3).generation, 4U);
  EXPECT_EQ(control.record(3).end, 8192U);
  EXPECT_EQ(control.record(2).generation, 1U);
  EXPECT_EQ(control.slot_root(69).epoch, 0U);
  for (std::uint32_t slot = 70; slot < 73; ++slot) {
    EXPECT_EQ(control.slot_root(slot).epoch, 6U);
    EXPECT_EQ(control.slot_root(slot).clock_floor_ms, 6000U);
  }
  EXPECT_EQ(control.slot_root(73).epoch, 0U);
}

TEST(ControlTest, WhatWasWrittenIsThereAfterAnOpen) {
  Files files;
  const auto control = files.Open();
  ASSERT_OK(control);
  EXPECT_TRUE(files.findings.empty());
  ExpectAsMade(**control);
  EXPECT_EQ((*control)->superblock().writes, 1U);
  EXPECT_EQ((*control)->superblock().format_major, kFormatMajor);
  EXPECT_EQ((*control)->superblock().slots, kSlotCount);
  EXPECT_EQ((*control)->seed(3), SegmentSeed((*control)->pool_id(), 3, 4));
  for (std::uint64_t segment = 0; segment < kSegments; ++segment) {
    if (segment == 3) continue;
    EXPECT_EQ((*control)->record(segment).state, 0U);
    EXPECT_EQ((*control)->record(segment).generation, 1U);
  }
}

TEST(ControlTest, RefusesToWriteWhatNoOpenWouldAccept) {
  Files files;
  auto control = files.Open();
  ASSERT_OK(control);
  SegmentRecord record = SealedRecord(4);
  EXPECT_CODE((*control)->WriteRecord(kSegments, record), kInvalidArgument);
  record.end = kSegmentBytes + 1;
  EXPECT_CODE((*control)->WriteRecord(3, record), kInvalidArgument);
  record = SealedRecord(0);
  EXPECT_CODE((*control)->WriteRecord(3, record), kInvalidArgument);
  record = SealedRecord(4);
  record.state = 3;
  EXPECT_CODE((*control)->WriteRecord(3, record), kInvalidArgument);

  EXPECT_CODE((*control)->WriteSlotRoots(kSlotCount, Roots(1, 1)), kInvalidArgument);
  EXPECT_CODE((*control)->WriteSlotRoots(kSlotCount - 1, Roots(2, 1)), kInvalidArgument);
  EXPECT_CODE((*control)->WriteSlotRoots(UINT32_MAX, Roots(2, 1)), kInvalidArgument);
  EXPECT_CODE((*control)->WriteSlotRoots(0, Roots(1, kMaxEpoch + std::uint64_t{1})),
              kInvalidArgument);
  EXPECT_OK((*control)->WriteSlotRoots(kSlotCount, {}));
  EXPECT_OK((*control)->WriteSlotRoots(kSlotCount - 1, Roots(1, kMaxEpoch)));

  const auto longer = [](Superblock& superblock) { superblock.segments += 1; };
  EXPECT_CODE((*control)->UpdateSuperblock(longer), kInvalidArgument);
  const auto odd = [](Superblock& superblock) { superblock.state = 7; };
  EXPECT_CODE((*control)->UpdateSuperblock(odd), kInvalidArgument);
  ExpectAsMade(**control);
  EXPECT_OK(files.Open());
}

TEST(ControlTest, ChangesOfManyThreadsAreAllMade) {
  Files files;
  const auto control = files.Open();
  ASSERT_OK(control);
  constexpr std::uint64_t kThreads = 3;
  constexpr std::uint64_t kChanges = 200;
  ASSERT_OK(RunThreads(kThreads, "changer", [&](std::size_t index) {
    for (std::uint64_t change = 0; change < kChanges; ++change) {
      CIREIN_RETURN_IF_ERROR((*control)->UpdateSuperblock(
          [](Superblock& superblock) { superblock.extent_ceiling += 1; }));
      CIREIN_RETURN_IF_ERROR((*control)->WriteRecord(index, SealedRecord(4)));
      CIREIN_RETURN_IF_ERROR((*control)->WriteSlotRoots(0, Roots(3, 6)));
      EXPECT_GE((*control)->superblock().extent_ceiling, change);
      EXPECT_EQ((*control)->record(3).generation, 4U);
      EXPECT_EQ((*control)->slot_root(70).epoch, 6U);
    }
    return OkStatus();
  }));
  EXPECT_EQ((*control)->superblock().extent_ceiling, kThreads * kChanges);
}

// ---- Files that are no pool ----

TEST(ControlTest, SaysWhyAFileIsNoPool) {
  Files files;
  std::fill(files.control->begin(), files.control->end(), 0);
  auto opened = files.Open();
  ASSERT_CODE(opened, kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("never finished"));

  std::fill(files.control->begin(), files.control->end(), 0x2A2A'2A2A'2A2A'2A2A);
  opened = files.Open();
  ASSERT_CODE(opened, kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("not the control file of a pool"));

  files = Files();
  for (const int copy : {0, 1}) {
    files.superblock(copy).magic = __builtin_bswap64(kSuperblockMagic);
  }
  opened = files.Open();
  ASSERT_CODE(opened, kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("other byte order"));
}

TEST(ControlTest, NamesBothFormatsWhenThePoolHasAnother) {
  Files files;
  files.ChangeSuperblock([](Superblock* s) {
    s->format_major = 2;
    s->format_minor = 7;
  });
  auto opened = files.Open();
  ASSERT_CODE(opened, kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("format 2.7"));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("format 1.1"));
  // Another format may have another checksum.
  ++files.superblock(0).checksum;
  ++files.superblock(1).checksum;
  EXPECT_CODE(files.Open(), kFailedPrecondition);
  // What only added something is read, and keeps its number.
  files = Files();
  files.ChangeSuperblock([](Superblock* s) { s->format_minor = 7; });
  opened = files.Open();
  ASSERT_OK(opened);
  EXPECT_OK((*opened)->UpdateSuperblock(Unchanged));
  EXPECT_EQ((*opened)->superblock().format_minor, 7U);
}

TEST(ControlTest, RefusesFilesThatWereCutOff) {
  const Files files;
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{8}, kPage, 2 * kPage - 8}) {
    const Words cut = MemoryRegion::NewBytes(bytes);
    std::copy_n(files.control->begin(), cut->size(), cut->begin());
    EXPECT_CODE(Control::ReadSuperblock(MemoryRegion("control", cut)), kFailedPrecondition);
  }
  for (const std::uint64_t bytes : {2 * kPage, kLayout.bytes() - kPage, kLayout.bytes() + kPage}) {
    Files damaged;
    damaged.control->resize(bytes / 8);
    const auto opened = damaged.Open();
    ASSERT_CODE(opened, kDataLoss);
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr(std::to_string(bytes)));
  }
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, (kSegments - 1) * kSegmentBytes, (kSegments + 1) * kSegmentBytes}) {
    Files damaged;
    damaged.log->resize(bytes / 8);
    const auto opened = damaged.Open();
    ASSERT_CODE(opened, kDataLoss);
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr("log"));
  }
}

TEST(ControlTest, BelievesNoNumberOfASuperblock) {
  const std::vector<std::function<void(Superblock*)>> changes = {
      [](Superblock* s) { s->segment_bytes = 0; },
      [](Superblock* s) { s->segment_bytes = kPage; },
      [](Superblock* s) { s->segment_bytes += 64; },
      [](Superblock* s) { s->segment_bytes = kMaxSegmentBytes + kPage; },
      [](Superblock* s) { s->segment_bytes = UINT64_MAX - kPage + 1; },
      [](Superblock* s) { s->segments = 0; },
      [](Superblock* s) { s->segments = kMinSegments - 1; },
      [](Superblock* s) { s->segments = kMaxSegments + 1; },
      [](Superblock* s) { s->segments = UINT64_MAX; },
      [](Superblock* s) { s->segments = std::uint64_t{1} << 60; },
      [](Superblock* s) {
        s->segments = kMaxSegments;
        s->segment_bytes = kMaxSegmentBytes;
      },
      [](Superblock* s) { s->index_bytes = kMaxIndexBytes + 1; },
      [](Superblock* s) { s->slots = 1; },
      [](Superblock* s) { s->durability = 0; },
      [](Superblock* s) { s->durability = 3; },
      [](Superblock* s) { s->state = 0; },
      [](Superblock* s) { s->state = 3; },
      [](Superblock* s) { s->highest_epoch = kMaxEpoch + std::uint64_t{1}; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE(i);
    Files files;
    files.ChangeSuperblock(changes[i]);
    EXPECT_CODE(files.Open(), kDataLoss);
    Superblock superblock = NewSuperblock();
    superblock.slots = kSlotCount;
    changes[i](&superblock);
    if (superblock.slots != kSlotCount) continue;  // Which is filled in.
    EXPECT_CODE(Control::Format(ControlRegion(files.control), superblock), kInvalidArgument);
  }
  // Numbers that are allowed, of another pool.
  Files files;
  files.ChangeSuperblock([](Superblock* s) { s->segments = kMaxSegments; });
  EXPECT_CODE(files.Open(), kDataLoss);
  EXPECT_CODE(Control::Format(ControlRegion(MemoryRegion::NewBytes(kPage)), NewSuperblock()),
              kInvalidArgument);
}

// ---- Twins ----

struct Place2 {
  std::uint64_t a;
  std::uint64_t b;
  std::uint64_t bytes;
  const char* name;
};

const std::vector<Place2>& Twins() {
  static const std::vector<Place2> twins = {
      {ControlLayout::superblock(0), ControlLayout::superblock(1), 200, "superblock"},
      {kLayout.segment_record(0, 3), kLayout.segment_record(1, 3), sizeof(SegmentRecord),
       "segment 3"},
      {kLayout.segment_record(0, 0), kLayout.segment_record(1, 0), sizeof(SegmentRecord),
       "segment 0"},
      {kLayout.slot_root(0, 71), kLayout.slot_root(1, 71), sizeof(SlotRoot), "slot 71"},
      {kLayout.slot_root(0, kSlotCount - 1), kLayout.slot_root(1, kSlotCount - 1), sizeof(SlotRoot),
       "slot 16383"},
  };
  return twins;
}

TEST(ControlTest, AFlipInOneCopyIsSurvivedNotedAndMended) {
  Files files;
  const MemoryRegion::Words whole = *files.control;
  for (const Place2& twin : Twins()) {
    for (std::uint64_t byte = 0; byte < twin.bytes; byte += 13) {
      for (const std::uint64_t begin : {twin.a, twin.b}) {
        SCOPED_TRACE(std::string(twin.name) + " byte " + std::to_string(begin + byte));
        files.at(begin + byte) ^= std::byte{1} << (byte % 8);
        auto control = files.Open();
        ASSERT_OK(control);
        ExpectAsMade(**control);
        ASSERT_EQ(files.findings.size(), 1U);
        EXPECT_EQ(files.findings[0].severity, Finding::Severity::kNote);
        EXPECT_THAT(files.findings[0].what, HasSubstr(twin.name));
        ASSERT_NE(*files.control, whole) << "nothing was to be written";
        control = files.Open(Control::Mend::kYes);
        ASSERT_OK(control);
        ASSERT_EQ(*files.control, whole);
      }
    }
  }
}

TEST(ControlTest, AFlipInBothCopiesIsRefusedByName) {
  for (const Place2& twin : Twins()) {
    Files files;
    files.at(twin.a + 20) ^= std::byte{1};
    files.at(twin.b + 24) ^= std::byte{1};
    const MemoryRegion::Words damaged = *files.control;
    const auto control = files.Open(Control::Mend::kYes);
    ASSERT_CODE(control, kDataLoss);
    EXPECT_THAT(std::string(control.status().message()), HasSubstr(twin.name));
    EXPECT_EQ(*files.control, damaged) << "a pool that is refused is left as it is";
  }
}

TEST(ControlTest, ARecordIsValidInItsPlaceAlone) {
  Files files;
  for (const int copy : {0, 1}) {
    files.as<SegmentRecord>(kLayout.segment_record(copy, 5)) =
        files.as<SegmentRecord>(kLayout.segment_record(copy, 3));
  }
  EXPECT_CODE(files.Open(), kDataLoss);
  files = Files();
  for (const int copy : {0, 1}) {
    files.as<SlotRoot>(kLayout.slot_root(copy, 5)) =
        files.as<SlotRoot>(kLayout.slot_root(copy, 70));
  }
  EXPECT_CODE(files.Open(), kDataLoss);
  // Of another pool.
  files = Files();
  files.ChangeSuperblock([](Superblock* s) { ++s->pool_id; });
  EXPECT_CODE(files.Open(), kDataLoss);
}

TEST(ControlTest, NeighboursInOneStateMakeOneNote) {
  Files files;
  for (std::uint32_t slot = 10; slot < 5000; ++slot) {
    files.at(kLayout.slot_root(0, slot)) ^= std::byte{1};
  }
  for (std::uint64_t segment = 1; segment < 4; ++segment) {
    files.at(kLayout.segment_record(1, segment)) ^= std::byte{1};
  }
  ASSERT_OK(files.Open(Control::Mend::kYes));
  ASSERT_EQ(files.findings.size(), 2U);
  EXPECT_THAT(files.findings[0].what, HasSubstr("segments 1 to 3"));
  EXPECT_EQ(files.findings[0].segment, 1U);
  EXPECT_THAT(files.findings[1].what, HasSubstr("slots 10 to 4999"));
  const auto control = files.Open();
  ASSERT_OK(control);
  EXPECT_TRUE(files.findings.empty());
  ExpectAsMade(**control);
}

TEST(ControlTest, ReportsLostRecordsAndGoesOnWithWhatIsSafe) {
  Files files;
  {
    auto control = files.Open();
    ASSERT_OK(control);
    ASSERT_OK((*control)->UpdateSuperblock(
        [](Superblock& superblock) { superblock.highest_epoch = 50; }));
    SegmentHeader header;
    FillSegmentHeader(**control, 3, &header);
    MemoryRegion log("log", files.log);
    ASSERT_OK(log.Write(3 * kSegmentBytes, std::as_bytes(std::span(&header, 1))));
  }
  for (const int copy : {0, 1}) {
    files.at(kLayout.segment_record(copy, 3)) ^= std::byte{1};
    files.at(kLayout.segment_record(copy, 4)) ^= std::byte{1};
    files.at(kLayout.slot_root(copy, 71)) ^= std::byte{1};
  }
  const MemoryRegion::Words damaged = *files.control;
  EXPECT_CODE(files.Open(), kDataLoss);
  auto control = files.Open(Control::Mend::kYes, Control::Damage::kReport);
  ASSERT_OK(control);
  EXPECT_EQ(*files.control, damaged);
  ASSERT_EQ(files.findings.size(), 3U);
  for (const Finding& finding : files.findings) {
    EXPECT_EQ(finding.severity, Finding::Severity::kCorruption);
  }
  EXPECT_EQ(files.findings[0].segment, 3U);
  EXPECT_EQ(files.findings[1].segment, 4U);
  const SegmentRecord found = (*control)->record(3);
  EXPECT_EQ(found.state, static_cast<std::uint32_t>(SegmentState::kOpen));
  EXPECT_EQ(found.generation, 4U);
  EXPECT_EQ(found.incarnation, 104U);
  EXPECT_EQ(found.sequence, 5U);
  EXPECT_EQ(found.shard, 4U);
  // Of the other nothing is known, so nothing that lies in it may ever be valid again.
  const SegmentRecord lost = (*control)->record(4);
  EXPECT_EQ(lost.state, static_cast<std::uint32_t>(SegmentState::kFree));
  EXPECT_GT(lost.generation, 1'000'000U);
  EXPECT_EQ(lost.used_before, 1U);
  EXPECT_EQ((*control)->slot_root(71).epoch, 50U);
  EXPECT_EQ((*control)->slot_root(71).clock_floor_ms, 6000U);
  // Once written they are whole again.
  ASSERT_OK((*control)->WriteRecord(3, found));
  ASSERT_OK((*control)->WriteRecord(4, lost));
  ASSERT_OK((*control)->WriteSlotRoots(71, {(*control)->slot_root(71)}));
  ASSERT_OK(files.Open());
  EXPECT_TRUE(files.findings.empty());
}

// ---- Writes that fail ----

TEST(ControlTest, WhatFailsLeavesTheOldRecordInMemory) {
  Files files;
  for (std::uint64_t writes = 0; writes < 2; ++writes) {
    auto region = ControlRegion(files.control);
    MemoryRegion* const raw = region.get();
    const MemoryRegion log("log", files.log);
    Findings findings;
    auto control = Control::Open(std::move(region), log, Control::Mend::kYes,
                                 Control::Damage::kFail, &findings);
    ASSERT_OK(control);
    const std::uint64_t written = (*control)->superblock().writes;
    raw->FailAfter(writes);
    EXPECT_CODE((*control)->WriteRecord(3, SealedRecord(9)), kIoError);
    EXPECT_EQ((*control)->record(3).generation, 4U);
    raw->FailAfter(writes);
    EXPECT_CODE((*control)->WriteSlotRoots(70, Roots(1, 9)), kIoError);
    EXPECT_EQ((*control)->slot_root(70).epoch, 6U);
    raw->FailAfter(writes);
    EXPECT_CODE((*control)->UpdateSuperblock(Unchanged), kIoError);
    EXPECT_EQ((*control)->superblock().writes, written);
    raw->FailAfter(std::nullopt);
    EXPECT_OK((*control)->WriteRecord(3, SealedRecord(4)));
    EXPECT_OK((*control)->WriteSlotRoots(70, Roots(1, 6)));
    EXPECT_OK((*control)->UpdateSuperblock(Unchanged));
    ASSERT_OK(files.Open());
    EXPECT_TRUE(files.findings.empty());
  }
}

TEST(ControlTest, NoSeriesOfFailuresDamagesBothCopies) {
  Random random(test::Seed());
  for (int round = 0; round < 15; ++round) {
    Files files;
    auto region = ControlRegion(files.control);
    MemoryRegion* const raw = region.get();
    const MemoryRegion log("log", files.log);
    Findings findings;
    // A copy that is bad and was not mended must not be relied on either.
    files.at((random.Below(2) == 0 ? kLayout.segment_record(0, 3) : kLayout.segment_record(1, 3)) +
             random.Below(64)) ^= std::byte{1};
    auto control = Control::Open(std::move(region), log, Control::Mend::kNo, Control::Damage::kFail,
                                 &findings);
    ASSERT_OK(control);
    std::uint64_t kept = 4;
    for (std::uint64_t generation = 5; generation < 15; ++generation) {
      raw->FailAfter(random.Below(5));
      if ((*control)->WriteRecord(3, SealedRecord(generation)).ok()) kept = generation;
      EXPECT_EQ((*control)->record(3).generation, kept);
      const auto opened = files.Open();
      ASSERT_OK(opened);
      EXPECT_GE((*opened)->record(3).generation, kept);
      EXPECT_LE((*opened)->record(3).generation, generation);
    }
  }
}

// ---- Crashes ----

using Change = std::function<Status(Control*)>;

Status ChangeRecord(Control* control, std::uint64_t step) {
  return control->WriteRecord(3, SealedRecord(step));
}
Status ChangeSuperblock(Control* control, std::uint64_t step) {
  return control->UpdateSuperblock([step](Superblock& superblock) {
    superblock.highest_epoch = step;
    // Sectors far apart change, so that a torn one is torn.
    std::memset(superblock.reserved, static_cast<int>(step), sizeof superblock.reserved);
  });
}
Status ChangeRoots(Control* control, std::uint64_t step) {
  return control->WriteSlotRoots(60, Roots(100, step));
}

// Each twice in a row, so that no other change's persist stands in for one that is missing.
std::vector<Change> Changes() {
  std::vector<Change> changes;
  for (const auto change : {ChangeRecord, ChangeSuperblock, ChangeRoots}) {
    for (std::uint64_t step = 11; step <= 12; ++step) {
      changes.emplace_back([=](Control* control) { return change(control, step); });
    }
  }
  return changes;
}

// What tells how many of the changes a control holds, one number for each kind.
struct Seen {
  std::uint64_t record;
  std::uint64_t superblock;
  std::vector<std::uint64_t> roots;
};

Seen SeenIn(const Control& control) {
  Seen seen{control.record(3).generation, control.superblock().highest_epoch, {}};
  for (std::uint32_t slot = 60; slot < 160; ++slot) {
    seen.roots.push_back(control.slot_root(slot).epoch);
  }
  return seen;
}

Result<std::unique_ptr<Control>> OpenIn(ShadowSpace* space, Findings* findings) {
  CIREIN_ASSIGN_OR_RETURN(auto log,
                          space->Open(kLogName, RegionUse::kLog, RegionSpace::Access::kReadWrite));
  CIREIN_ASSIGN_OR_RETURN(
      auto region, space->Open(kControlName, RegionUse::kRecords, RegionSpace::Access::kReadWrite));
  return Control::Open(std::move(region), *log, Control::Mend::kYes, Control::Damage::kFail,
                       findings);
}

void ExpectBetween(const Seen& seen, const Seen& least, const Seen& most) {
  EXPECT_GE(seen.record, least.record);
  EXPECT_LE(seen.record, most.record);
  EXPECT_GE(seen.superblock, least.superblock);
  EXPECT_LE(seen.superblock, most.superblock);
  for (std::size_t i = 0; i < seen.roots.size(); ++i) {
    EXPECT_GE(seen.roots[i], least.roots[i]);
    EXPECT_LE(seen.roots[i], most.roots[i]);
  }
}

// Opens what a crash left, and what crashes during that open leave.
void ExpectSurvives(ShadowSpace::Medium medium, const SpaceImage& image, const Seen& least,
                    const Seen& most, Random* random) {
  ShadowSpace space(medium, "boot-2", image);
  Findings findings;
  const auto control = OpenIn(&space, &findings);
  ASSERT_OK(control);
  const Seen seen = SeenIn(**control);
  ExpectBetween(seen, least, most);
  if (findings.empty()) return;
  for (std::uint64_t point = 0; point <= space.events(); ++point) {
    ShadowSpace again(medium, "boot-3", space.PowerCut(point, *random, 2));
    const auto reopened = OpenIn(&again, &findings);
    ASSERT_OK(reopened);
    ExpectBetween(SeenIn(**reopened), seen, seen);
  }
  findings.clear();
  ShadowSpace last(medium, "boot-4", space.PowerCut(space.events(), *random, 0));
  ASSERT_OK(OpenIn(&last, &findings));
  EXPECT_TRUE(findings.empty()) << findings[0].what;
}

class ControlCrashTest : public testing::TestWithParam<ShadowSpace::Medium> {};

TEST_P(ControlCrashTest, ACrashAtAnyEventLeavesOldOrNew) {
  Random random(test::Seed());
  ShadowSpace space(GetParam());
  auto log = space.Create(kLogName, kSegments * kSegmentBytes, RegionUse::kLog);
  ASSERT_OK(log);
  auto region = space.Create(kControlName, kLayout.bytes(), RegionUse::kRecords);
  ASSERT_OK(region);
  auto made = Control::Format(std::move(*region), NewSuperblock());
  ASSERT_OK(made);
  ASSERT_OK((*made)->UpdateSuperblock(Unchanged));
  ASSERT_OK(space.PersistNames(PersistSite::kFormat));

  Seen before = SeenIn(**made);
  for (const Change& change : Changes()) {
    const std::uint64_t first = space.events();
    ASSERT_OK(change(made->get()));
    const Seen after = SeenIn(**made);
    for (std::uint64_t point = first; point <= space.events(); ++point) {
      SCOPED_TRACE(point);
      const Seen& least = point == space.events() ? after : before;
      ExpectSurvives(GetParam(), space.ProcessCrash(point), least, after, &random);
      for (const std::uint32_t keep : {0U, 1U, 2U, 3U}) {
        ExpectSurvives(GetParam(), space.PowerCut(point, random, keep), least, after, &random);
      }
    }
    before = after;
  }
}

TEST_P(ControlCrashTest, ACrashOfTheCreationLeavesNoPoolOrAWholeOne) {
  Random random(test::Seed());
  ShadowSpace space(GetParam());
  ASSERT_OK(space.Create(kLogName, kSegments * kSegmentBytes, RegionUse::kLog));
  auto region = space.Create(kControlName, kLayout.bytes(), RegionUse::kRecords);
  ASSERT_OK(region);
  ASSERT_OK(space.PersistNames(PersistSite::kFormat));
  const std::uint64_t first = space.events();
  auto made = Control::Format(std::move(*region), NewSuperblock());
  ASSERT_OK(made);
  ASSERT_OK((*made)->UpdateSuperblock(Unchanged));
  std::uint64_t whole = 0;
  for (std::uint64_t point = first; point <= space.events(); ++point) {
    for (const std::uint32_t keep : {0U, 1U, 2U, 3U}) {
      SCOPED_TRACE(point);
      ShadowSpace after(GetParam(), "boot-2", space.PowerCut(point, random, keep));
      Findings findings;
      const auto control = OpenIn(&after, &findings);
      if (control.ok()) ++whole;
      EXPECT_TRUE(control.ok() || point < space.events()) << control.status().ToString();
      EXPECT_NE(control.code(), StatusCode::kInternal);
    }
  }
  EXPECT_GE(whole, 4U);
}

INSTANTIATE_TEST_SUITE_P(Media, ControlCrashTest,
                         testing::Values(ShadowSpace::Medium::kFlushable,
                                         ShadowSpace::Medium::kFile),
                         [](const auto& given) {
                           return given.param == ShadowSpace::Medium::kFile ? "File" : "Flushable";
                         });

}  // namespace
}  // namespace cirein::dpm
