// SPDX-License-Identifier: Apache-2.0
#include "dpm/log_writer.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dpm/control.h"
#include "dpm/dpm.h"
#include "dpm/layout.h"
#include "dpm/segment_space.h"
#include "region/shadow_space.h"
#include "support/status_matchers.h"

namespace cirein::dpm {
namespace {

using Medium = ShadowSpace::Medium;
using Staged = LogWriter::Staged;

constexpr Bucket kBucket{7};

struct Setting {
  Medium medium;
  Durability durability;
};

CreateOptions SmallPool(Durability durability) {
  CreateOptions options;
  options.segment_bytes = 16 * 1024;
  options.log_bytes = 16 * options.segment_bytes;
  options.index_bytes = 1 << 20;
  options.durability = durability;
  options.pool_id = 1;
  return options;
}

/// A small pool, one writer of it, and what the tests do with both.
class LogWriterTest : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    auto space = std::make_unique<ShadowSpace>(GetParam().medium);
    ASSERT_OK(Dpm::Create(*space, SmallPool(GetParam().durability)));
    ASSERT_NO_FATAL_FAILURE(Open(std::move(space)));
  }

  void Open(std::unique_ptr<ShadowSpace> space) {
    shadow_ = space.get();
    Findings findings;
    auto pool = Dpm::Open(std::move(space), {}, &findings);
    ASSERT_OK(pool.status());
    pool_ = std::move(*pool);
    reader_ = pool_->read_epochs().NewReader();
    writer_ = pool_->NewWriter(0);
  }

  /// What the end of the process leaves now, opened again.
  void KillAndOpen() {
    SpaceImage image = shadow_->ProcessCrash(shadow_->events());
    writer_.reset();
    reader_ = ReadEpochs::Reader();
    pool_.reset();
    ASSERT_NO_FATAL_FAILURE(
        Open(std::make_unique<ShadowSpace>(GetParam().medium, "boot-1", std::move(image))));
  }

  Result<Staged> Stage(const std::string& row, const std::string& data) {
    const EntryFields fields{.kind = EntryKind::kObject,
                             .key = KeyView(kBucket, row),
                             .slot = SlotOfRow(row),
                             .version = {pool_->epoch(), ++counter_},
                             .data = std::as_bytes(std::span(data))};
    return writer_->Stage(std::span(&fields, 1), std::span(&location_, 1));
  }
  void MustStage(const std::string& row, const std::string& data) {
    const Result<Staged> staged = Stage(row, data);
    ASSERT_OK(staged.status());
    ASSERT_EQ(*staged, Staged::kStaged);
  }
  Status Land() { return writer_->EndFlight(writer_->PersistFlight()); }
  Status LandIfFlying() { return writer_->in_flight() ? Land() : OkStatus(); }

  /// The data under a row, when all that is committed is merged; "none" when nothing is.
  std::string Get(const std::string& row) {
    EXPECT_OK(pool_->MergeAll());
    const ReadEpochs::Guard guard(reader_);
    const auto found = pool_->Find(KeyView(kBucket, row), SlotOfRow(row), 0);
    if (!found) return "none";
    const ByteSpan data = found->entry.data();
    return {reinterpret_cast<const char*>(data.data()), data.size()};  // NOLINT: bytes as text.
  }

  ShadowSpace* shadow_ = nullptr;
  std::unique_ptr<Dpm> pool_;
  ReadEpochs::Reader reader_;
  std::unique_ptr<LogWriter> writer_;
  Location location_;  ///< Of the last entry that was staged.
  std::uint64_t counter_ = 0;
};

TEST_P(LogWriterTest, NothingStagedDoesNotFly) {
  EXPECT_FALSE(writer_->BeginFlight());
  EXPECT_FALSE(writer_->in_flight());
  EXPECT_OK(writer_->Commit());
  EXPECT_EQ(writer_->bytes_written(), 0U);
}

TEST_P(LogWriterTest, WhatIsStagedMeanwhileIsOfTheNextBatch) {
  ASSERT_NO_FATAL_FAILURE(MustStage("first", "1"));
  ASSERT_TRUE(writer_->BeginFlight());
  EXPECT_TRUE(writer_->in_flight());
  EXPECT_FALSE(writer_->has_staged()) << "it is on its way";
  ASSERT_NO_FATAL_FAILURE(MustStage("second", "2"));
  const std::uint64_t segment = pool_->segments().segment_of(location_.offset);
  EXPECT_TRUE(writer_->has_staged());
  EXPECT_FALSE(writer_->BeginFlight()) << "one at a time";

  ASSERT_OK(writer_->PersistFlight());
  EXPECT_EQ(Get("first"), "none") << "not committed before the end of its flight";
  const std::uint64_t before = pool_->segments().committed(segment);
  ASSERT_OK(writer_->EndFlight(OkStatus()));
  EXPECT_FALSE(writer_->in_flight());
  EXPECT_GT(pool_->segments().committed(segment), before);
  EXPECT_LE(pool_->segments().begin_of(segment) + pool_->segments().committed(segment),
            location_.offset)
      << "what was staged meanwhile is behind the batch that flew";
  EXPECT_EQ(Get("first"), "1");
  EXPECT_EQ(Get("second"), "none");

  ASSERT_OK(writer_->Commit());
  EXPECT_EQ(Get("second"), "2");
  EXPECT_EQ(pool_->segments().segment_of(location_.offset), segment);
}

TEST_P(LogWriterTest, WhatDidNotFlyIsNotThereAfterAKill) {
  ASSERT_NO_FATAL_FAILURE(MustStage("first", "1"));
  ASSERT_TRUE(writer_->BeginFlight());
  ASSERT_NO_FATAL_FAILURE(MustStage("second", "2"));
  ASSERT_OK(Land());
  ASSERT_NO_FATAL_FAILURE(KillAndOpen());
  EXPECT_EQ(Get("first"), "1");
  EXPECT_EQ(Get("second"), "none");
}

TEST_P(LogWriterTest, ManyFlightsKeepWhatWasStagedBesideThem) {
  std::map<std::string, std::string> expected;
  int landed = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string row = "row" + std::to_string(i % 40);
    const std::string data = std::to_string(i) + std::string(static_cast<std::size_t>(i % 90), 'x');
    Result<Staged> staged = Stage(row, data);
    ASSERT_OK(staged.status());
    if (*staged == Staged::kFull) {
      ASSERT_OK(LandIfFlying());
      ASSERT_OK(writer_->Commit());
      staged = Stage(row, data);
      ASSERT_OK(staged.status());
      ASSERT_EQ(*staged, Staged::kStaged);
    }
    expected[row] = data;
    // Batches of three entries, each on its way while the next one is put together.
    if (i % 3 != 0) continue;
    if (writer_->in_flight()) {
      ASSERT_OK(Land());
      ++landed;
    }
    ASSERT_TRUE(writer_->BeginFlight());
  }
  ASSERT_OK(LandIfFlying());
  ASSERT_OK(writer_->Commit());
  EXPECT_GT(landed, 500);
  for (const auto& [row, data] : expected) EXPECT_EQ(Get(row), data) << row;
  EXPECT_EQ(writer_->merged_entries(), writer_->staged_entries());
  ASSERT_NO_FATAL_FAILURE(KillAndOpen());
  for (const auto& [row, data] : expected) EXPECT_EQ(Get(row), data) << row << " after a kill";
}

// The end of the segment: the next one is sealed in only when nothing is on its way.
TEST_P(LogWriterTest, IsFullAtTheEndOfTheSegmentWhileABatchFlies) {
  const std::string half(writer_->max_batch_bytes() / 2, 'h');
  ASSERT_NO_FATAL_FAILURE(MustStage("first", half));
  const std::uint64_t segment = pool_->segments().segment_of(location_.offset);
  ASSERT_TRUE(writer_->BeginFlight());
  Result<Staged> staged = Stage("second", half);
  ASSERT_OK(staged.status());
  EXPECT_EQ(*staged, Staged::kFull) << "though nothing else is staged";
  EXPECT_FALSE(writer_->has_staged());
  EXPECT_EQ(writer_->staged_entries(), 1U) << "it was not taken";
  EXPECT_CODE(writer_->Seal(), kFailedPrecondition);
  ASSERT_NO_FATAL_FAILURE(MustStage("small", "s"));
  EXPECT_EQ(pool_->segments().segment_of(location_.offset), segment) << "there is room for it";
  ASSERT_OK(Land());

  staged = Stage("second", half);
  ASSERT_OK(staged.status());
  EXPECT_EQ(*staged, Staged::kFull) << "commit first: the small one is staged";
  ASSERT_OK(writer_->Commit());
  ASSERT_NO_FATAL_FAILURE(MustStage("second", half));
  EXPECT_NE(pool_->segments().segment_of(location_.offset), segment);
  EXPECT_EQ(pool_->segments().state(segment), SegmentState::kSealed);
  ASSERT_OK(writer_->Commit());
  EXPECT_EQ(Get("first"), half);
  EXPECT_EQ(Get("small"), "s");
  EXPECT_EQ(Get("second"), half);
}

TEST_P(LogWriterTest, AFailedFlightIsTheWritersEnd) {
  ASSERT_NO_FATAL_FAILURE(MustStage("before", "0"));
  ASSERT_OK(writer_->Commit());
  ASSERT_NO_FATAL_FAILURE(MustStage("first", "1"));
  ASSERT_TRUE(writer_->BeginFlight());
  ASSERT_NO_FATAL_FAILURE(MustStage("second", "2"));
  shadow_->FailWrites(IoError("the disk is gone"));
  const Status failed = writer_->PersistFlight();
  EXPECT_CODE(failed, kIoError);
  shadow_->FailWrites(OkStatus());
  EXPECT_CODE(writer_->EndFlight(failed), kIoError);
  EXPECT_FALSE(writer_->in_flight());

  for (int i = 0; i < 3; ++i) {
    EXPECT_CODE(Stage("third", "3").status(), kIoError);
    EXPECT_FALSE(writer_->BeginFlight()) << "what was staged beside it must not fly";
    EXPECT_CODE(writer_->Commit(), kIoError);
    EXPECT_CODE(writer_->Seal(), kIoError);
  }
  EXPECT_EQ(Get("before"), "0");
  EXPECT_EQ(Get("first"), "none");
  EXPECT_EQ(Get("second"), "none");
}

TEST_P(LogWriterTest, AFlightThatIsNotPersistedFails) {
  ASSERT_NO_FATAL_FAILURE(MustStage("first", "1"));
  ASSERT_TRUE(writer_->BeginFlight());
  shadow_->FailPersists(IoError("the disk is gone"));
  const Status landed = Land();
  shadow_->FailPersists(OkStatus());
  if (GetParam().durability == Durability::kProcess) {
    EXPECT_OK(landed) << "what persists is the sync";
    EXPECT_EQ(Get("first"), "1");
    return;
  }
  EXPECT_CODE(landed, kIoError);
  EXPECT_CODE(Stage("second", "2").status(), kIoError);
  EXPECT_FALSE(writer_->BeginFlight());
}

TEST_P(LogWriterTest, TellsHowManyOfItsEntriesAreMerged) {
  EXPECT_EQ(writer_->staged_entries(), 0U);
  EXPECT_EQ(writer_->merged_entries(), 0U);
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_NO_FATAL_FAILURE(MustStage("row" + std::to_string(i), "x"));
    EXPECT_EQ(writer_->staged_entries(), i + 1);
  }
  ASSERT_OK(pool_->MergeAll());
  EXPECT_EQ(writer_->merged_entries(), 0U) << "nothing is committed";
  ASSERT_TRUE(writer_->BeginFlight());
  ASSERT_NO_FATAL_FAILURE(MustStage("row0", "y"));
  ASSERT_NO_FATAL_FAILURE(MustStage("row1", "y"));
  EXPECT_EQ(writer_->staged_entries(), 7U);
  ASSERT_OK(Land());
  ASSERT_OK(pool_->MergeAll());
  EXPECT_EQ(writer_->merged_entries(), 5U) << "not what was staged beside the flight";
  writer_->Abandon();
  EXPECT_EQ(writer_->staged_entries(), 5U) << "what was given up does not count";
  ASSERT_NO_FATAL_FAILURE(MustStage("row2", "z"));
  ASSERT_OK(writer_->Commit());
  const auto other = pool_->NewWriter(1);
  ASSERT_OK(pool_->MergeAll());
  EXPECT_EQ(writer_->staged_entries(), 6U);
  EXPECT_EQ(writer_->merged_entries(), 6U);
  EXPECT_EQ(other->merged_entries(), 0U) << "each writer counts its own";
}

TEST_P(LogWriterTest, CountsEntriesThroughManySegments) {
  const std::string data(500, 'x');
  for (int i = 0; i < 600; ++i) {
    Result<Staged> staged = Stage("row" + std::to_string(i % 20), data);
    ASSERT_OK(staged.status());
    if (*staged == Staged::kStaged) continue;
    ASSERT_OK(writer_->Commit());
    ASSERT_NO_FATAL_FAILURE(MustStage("row" + std::to_string(i % 20), data));
  }
  ASSERT_OK(writer_->Commit());
  EXPECT_EQ(writer_->staged_entries(), 600U);
  ASSERT_OK(pool_->MergeAll());
  EXPECT_EQ(writer_->merged_entries(), 600U) << "entries that are dead or cleaned were merged too";
}

// What may_follow promises to those who keep locations.
class MayFollowTest : public LogWriterTest {
 protected:
  /// Overwrites one row, until `segment` is no longer as it is in its life `generation`.
  void OverwriteUntil(const std::function<bool()>& done) {
    const std::string data(3000, 'x');
    for (int i = 0; i < 2000 && !done(); ++i) {
      ASSERT_NO_FATAL_FAILURE(MustStage("busy", data));
      ASSERT_OK(writer_->Commit());
      ASSERT_OK(pool_->Work(Dpm::Urgency::kUrgent).status());
    }
    ASSERT_TRUE(done()) << "the segment stays for ever";
  }
};

TEST_P(MayFollowTest, FromTheGrantUntilTheSegmentWaitsForItsReaders) {
  const SegmentSpace& segments = pool_->segments();
  ASSERT_NO_FATAL_FAILURE(MustStage("row", "x"));
  ASSERT_OK(writer_->Commit());
  const std::uint64_t segment = segments.segment_of(location_.offset);
  const std::uint64_t generation = segments.generation(segment);
  EXPECT_TRUE(segments.may_follow(segment, generation));
  EXPECT_FALSE(segments.may_follow(segment, generation - 1));
  EXPECT_FALSE(segments.may_follow(segment, generation + 1));
  for (std::uint64_t i = 0; i < segments.count(); ++i) {
    if (segments.state(i) != SegmentState::kFree) continue;
    EXPECT_FALSE(segments.may_follow(i, segments.generation(i))) << "there is nothing in it";
  }

  // A reader that came before keeps the segment as it is, but nobody may come after it.
  std::optional<ReadEpochs::Guard> inside(reader_);
  ASSERT_NO_FATAL_FAILURE(
      OverwriteUntil([&] { return !segments.may_follow(segment, generation); }));
  EXPECT_NE(segments.state(segment), SegmentState::kFree) << "a reader is inside";
  EXPECT_EQ(segments.generation(segment), generation);
  for (int i = 0; i < 3; ++i) ASSERT_OK(pool_->Work(Dpm::Urgency::kUrgent).status());
  EXPECT_NE(segments.state(segment), SegmentState::kFree);
  EXPECT_FALSE(segments.may_follow(segment, generation));

  inside.reset();
  ASSERT_OK(pool_->Work(Dpm::Urgency::kUrgent).status());
  EXPECT_EQ(segments.state(segment), SegmentState::kFree);
  EXPECT_GT(segments.generation(segment), generation);
  EXPECT_FALSE(segments.may_follow(segment, generation));
  EXPECT_FALSE(segments.may_follow(segment, segments.generation(segment)));
}

TEST_P(MayFollowTest, NeverInAnOlderLife) {
  const SegmentSpace& segments = pool_->segments();
  ASSERT_NO_FATAL_FAILURE(MustStage("row", "x"));
  ASSERT_OK(writer_->Commit());
  const std::uint64_t segment = segments.segment_of(location_.offset);
  const std::uint64_t first = segments.generation(segment);
  ASSERT_NO_FATAL_FAILURE(OverwriteUntil([&] {
    const std::uint64_t now = segments.generation(segment);
    for (std::uint64_t old = 1; old < now; ++old) EXPECT_FALSE(segments.may_follow(segment, old));
    EXPECT_EQ(segments.may_follow(segment, now), segments.state(segment) != SegmentState::kFree);
    return now >= first + 3 && segments.state(segment) == SegmentState::kOpen;
  }));
  EXPECT_TRUE(segments.may_follow(segment, segments.generation(segment))) << "in its new life";
}

TEST_P(MayFollowTest, AfterAnOpenWhatIsThereMayBeFollowed) {
  ASSERT_NO_FATAL_FAILURE(MustStage("row", "x"));
  ASSERT_OK(writer_->Commit());
  const std::uint64_t segment = pool_->segments().segment_of(location_.offset);
  const std::uint64_t generation = pool_->segments().generation(segment);
  ASSERT_NO_FATAL_FAILURE(KillAndOpen());
  EXPECT_TRUE(pool_->segments().may_follow(segment, generation));
  EXPECT_FALSE(pool_->segments().may_follow(segment, generation + 1));
}

/// A writer over segments of which the test is the cleaner.
class RoomTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(Dpm::Create(space_, SmallPool(Durability::kProcess)));
    auto log = space_.Open(kLogName, RegionUse::kLog, RegionSpace::Access::kReadWrite);
    ASSERT_OK(log.status());
    log_ = std::move(*log);
    auto records = space_.Open(kControlName, RegionUse::kRecords, RegionSpace::Access::kReadWrite);
    ASSERT_OK(records.status());
    Findings findings;
    auto control = Control::Open(std::move(*records), *log_, Control::Mend::kYes,
                                 Control::Damage::kFail, &findings);
    ASSERT_OK(control.status());
    control_ = std::move(*control);
    segments_ = std::make_unique<SegmentSpace>(*control_, *log_, /*on_files=*/false);
    writer_ = std::make_unique<LogWriter>(
        *segments_, LogWriter::Options{.stream = {1, 0},
                                       .durability = Durability::kProcess,
                                       .cleaner = false,
                                       .await_room = [this] { return await_room_(); },
                                       .on_commit = nullptr,
                                       .merged = nullptr});
  }

  Status Write(EntryKind kind) {
    const EntryFields fields{.kind = kind,
                             .key = KeyView(kBucket, "row"),
                             .slot = SlotOfRow("row"),
                             .version = {1, ++counter_}};
    Location location;
    return writer_->Write(std::span(&fields, 1), std::span(&location, 1));
  }
  void Take() {
    const auto granted = segments_->Grant(GrantFor::kCleaner, StreamId{1, kCleanerShard});
    ASSERT_OK(granted.status());
    taken_.push_back(*granted);
  }
  void GiveBack() {
    ASSERT_OK(segments_->Seal(taken_.back(), kFirstBatch));
    ASSERT_OK(segments_->Free(taken_.back()));
    taken_.pop_back();
  }

  ShadowSpace space_{Medium::kFlushable};
  std::unique_ptr<Region> log_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<SegmentSpace> segments_;
  std::function<Status()> await_room_;
  std::unique_ptr<LogWriter> writer_;
  std::vector<std::uint64_t> taken_;
  std::uint64_t counter_ = 0;
};

TEST_F(RoomTest, RoomThatAnotherWasFasterToTakeIsAwaitedAgain) {
  constexpr std::uint64_t kReserved = kReservedForCleaner + kReservedForDeletes;
  while (segments_->free_segments() > kReserved) ASSERT_NO_FATAL_FAILURE(Take());
  await_room_ = [] { return ResourceExhausted("full"); };
  EXPECT_EQ(Write(EntryKind::kObject).code(), StatusCode::kResourceExhausted);
  ASSERT_OK(Write(EntryKind::kGone)) << "from the deletes' reserve";
  EXPECT_EQ(Write(EntryKind::kObject).code(), StatusCode::kResourceExhausted);

  int asked = 0;
  await_room_ = [&] {
    // The first time somebody takes the room before the writer can.
    if (++asked == 1) return OkStatus();
    while (segments_->free_segments() <= kReserved) GiveBack();
    return OkStatus();
  };
  EXPECT_OK(Write(EntryKind::kObject));
  EXPECT_EQ(asked, 2);
}

const auto kSettings = testing::Values(Setting{Medium::kFlushable, Durability::kProcess},
                                       Setting{Medium::kFlushable, Durability::kPower},
                                       Setting{Medium::kFile, Durability::kProcess},
                                       Setting{Medium::kFile, Durability::kPower});
std::string NameOf(const testing::TestParamInfo<Setting>& test) {
  return std::string(test.param.medium == Medium::kFile ? "File" : "Flushable") +
         (test.param.durability == Durability::kPower ? "Power" : "Process");
}
INSTANTIATE_TEST_SUITE_P(Media, LogWriterTest, kSettings, NameOf);
INSTANTIATE_TEST_SUITE_P(Media, MayFollowTest, kSettings, NameOf);

}  // namespace
}  // namespace cirein::dpm
