// SPDX-License-Identifier: Apache-2.0

// What a pool does at its limits and when its medium fails: it says so, and loses nothing.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "dpm/dpm.h"
#include "dpm/verify.h"
#include "region/directory_space.h"
#include "region/shadow_space.h"
#include "support/dpm_user.h"
#include "support/status_matchers.h"

namespace cirein::dpm {
namespace {

using test::DpmUser;
using Kind = DpmUser::Write::Kind;
using Medium = ShadowSpace::Medium;

CreateOptions SmallPool(Durability durability = Durability::kPower) {
  CreateOptions options;
  options.segment_bytes = 16 * 1024;
  options.log_bytes = 16 * options.segment_bytes;
  options.index_bytes = 1 << 20;
  options.extent_limit_bytes = 200'000;
  options.durability = durability;
  options.pool_id = 77;
  return options;
}

class DpmLimitsTest : public testing::TestWithParam<Medium> {
 protected:
  SpaceImage Create(const CreateOptions& options = SmallPool()) {
    ShadowSpace space(GetParam());
    EXPECT_OK(Dpm::Create(space, options));
    return space.ProcessCrash(space.events());
  }
  Result<std::unique_ptr<Dpm>> TryOpen(SpaceImage image, const std::string& boot = "boot-1") {
    auto space = std::make_unique<ShadowSpace>(GetParam(), boot, std::move(image));
    shadow_ = space.get();
    findings_.clear();
    return Dpm::Open(std::move(space), {}, &findings_);
  }
  std::unique_ptr<Dpm> Open(SpaceImage image, const std::string& boot = "boot-1") {
    auto pool = TryOpen(std::move(image), boot);
    EXPECT_OK(pool.status());
    return pool.ok() ? std::move(*pool) : nullptr;
  }
  SpaceImage Killed() { return shadow_->ProcessCrash(shadow_->events()); }
  void ExpectClean(SpaceImage image) {
    ShadowSpace space(GetParam(), "boot-1", std::move(image));
    const auto report = VerifyPool(space);
    ASSERT_OK(report.status());
    for (const Finding& finding : report->findings) {
      EXPECT_NE(finding.severity, Finding::Severity::kCorruption) << finding.what;
    }
  }

  ShadowSpace* shadow_ = nullptr;
  Findings findings_;
};

TEST_P(DpmLimitsTest, AFullMediumAtCreationLeavesNothingBehind) {
  for (const std::uint64_t room : {1'000ull, 1'200'000ull, 1'500'000ull}) {
    ShadowSpace space(GetParam());
    space.LimitBytes(room);
    EXPECT_CODE(Dpm::Create(space, SmallPool()), kResourceExhausted) << room;
    const auto left = space.List();
    ASSERT_OK(left.status());
    EXPECT_TRUE(left->empty());
    space.LimitBytes(UINT64_MAX);
    EXPECT_OK(Dpm::Create(space, SmallPool()));
  }
}

TEST_P(DpmLimitsTest, SizesThatCannotBeAreRefused) {
  const auto create = [](const CreateOptions& options) {
    ShadowSpace space(Medium::kFile);
    return Dpm::Create(space, options);
  };
  CreateOptions options = SmallPool();
  options.segment_bytes = 10'000;
  EXPECT_CODE(create(options), kInvalidArgument);
  options = SmallPool();
  options.segment_bytes = 0;
  EXPECT_CODE(create(options), kInvalidArgument);
  options = SmallPool();
  options.log_bytes = 7 * options.segment_bytes;
  EXPECT_CODE(create(options), kInvalidArgument);
  options = SmallPool();
  options.large_bytes = options.segment_bytes;
  EXPECT_CODE(create(options), kInvalidArgument);
  options = SmallPool();
  options.pool_id = 0;
  EXPECT_CODE(create(options), kInvalidArgument);
  EXPECT_OK(create(SmallPool()));
}

TEST_P(DpmLimitsTest, APoolIsNeverCreatedOverAnother) {
  ShadowSpace space(GetParam(), "boot-1", Create());
  EXPECT_CODE(Dpm::Create(space, SmallPool()), kAlreadyExists);
}

TEST_P(DpmLimitsTest, ObjectsOfAnySizeUpToTheLimits) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  DpmUser user(*pool, 0);
  const std::string longest(kMaxRowBytes, 'r');
  ASSERT_OK(user.Put("empty", ""));
  ASSERT_OK(user.Apply({{Kind::kPut, "row", "", "an empty column", {}}}));
  ASSERT_OK(user.Apply({{Kind::kPut, "row", {}, "no column", {}}}));
  ASSERT_OK(user.Put("large", std::string(100'000, 'l')));
  EXPECT_EQ(*user.Get("empty"), "");
  EXPECT_EQ(*user.Get("row", ""), "an empty column");
  EXPECT_EQ(*user.Get("row"), "no column");
  EXPECT_EQ(**user.Get("large"), std::string(100'000, 'l'));
  // The key itself does not fit in a segment of 16 KiB.
  EXPECT_CODE(user.Put(longest, "x"), kInvalidArgument);
  // Nor does so large a group; nothing of it is there.
  std::vector<DpmUser::Write> group;
  for (int i = 0; i < 20; ++i) {
    group.push_back({Kind::kPut, "g" + std::to_string(i), {}, std::string(1000, 'g'), {}});
  }
  EXPECT_CODE(user.Apply(group), kInvalidArgument);
  EXPECT_FALSE(user.Get("g0")->has_value());
  ExpectClean(Killed());
}

TEST_P(DpmLimitsTest, LargeObjectsHaveALimitAndGiveTheirRoomBack) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  DpmUser user(*pool, 0);
  ASSERT_OK(user.Put("a", std::string(90'000, 'a')));
  ASSERT_OK(user.Put("b", std::string(90'000, 'b')));
  EXPECT_CODE(user.Put("c", std::string(90'000, 'c')), kResourceExhausted);
  ASSERT_OK(user.Put("small", "still works"));
  ASSERT_OK(user.Drop("a"));
  ASSERT_OK(pool->Sync());
  ASSERT_OK(pool->Work(Dpm::Urgency::kUrgent).status());
  ASSERT_OK(pool->Work(Dpm::Urgency::kUrgent).status());
  EXPECT_EQ(pool->GetStats().extents, 1u);
  ASSERT_OK(user.Put("c", std::string(90'000, 'c')));
  EXPECT_EQ(**user.Get("b"), std::string(90'000, 'b'));
  EXPECT_EQ(**user.Get("c"), std::string(90'000, 'c'));
  // The medium itself is full.
  ASSERT_OK(user.Drop("c"));
  ASSERT_OK(pool->Work(Dpm::Urgency::kUrgent).status());
  ASSERT_OK(pool->Work(Dpm::Urgency::kUrgent).status());
  shadow_->LimitBytes(1);
  EXPECT_CODE(user.Put("d", std::string(90'000, 'd')), kResourceExhausted);
  ASSERT_OK(user.Put("small", "works"));
  EXPECT_EQ(*user.Get("small"), "works");
  ExpectClean(Killed());
}

// What is deleted may be copies that the cleaner made a moment ago, and a delete takes as much of
// the log as what it deletes.
TEST_P(DpmLimitsTest, AllThatFillsAPoolCanBeDropped) {
  for (const Durability durability : {Durability::kProcess, Durability::kPower}) {
    auto pool = Open(Create(SmallPool(durability)));
    ASSERT_NE(pool, nullptr);
    DpmUser user(*pool, 0);
    int count = 0;
    while (user.Put(fmt::format("small{}", count), "v").ok()) ++count;
    ASSERT_GT(count, 500);
    for (int i = 0; i < count; ++i) ASSERT_OK(user.Drop(fmt::format("small{}", i))) << i;
    for (int i = 0; i < count / 2; ++i) ASSERT_OK(user.Put(fmt::format("new{}", i), "v"));
    EXPECT_EQ(user.All()->size(), static_cast<std::size_t>(count / 2));
    ExpectClean(Killed());
  }
}

TEST_P(DpmLimitsTest, AFailedPersistMakesThePoolReadOnly) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  {
    DpmUser user(*pool, 0);
    ASSERT_OK(user.Put("kept", "safe"));
    shadow_->FailPersists(IoError("the disk is gone"));
    EXPECT_CODE(user.Put("lost", "not acknowledged"), kIoError);
    shadow_->FailPersists(OkStatus());
    // What may have been thrown away cannot be made good: no later write is taken either.
    EXPECT_FALSE(user.Put("later", "neither").ok());
    EXPECT_EQ(*user.Get("kept"), "safe");
    EXPECT_FALSE(pool->Close().ok());
  }
  SpaceImage image = Killed();
  pool.reset();
  pool = Open(std::move(image));
  ASSERT_NE(pool, nullptr);
  DpmUser user(*pool, 0);
  EXPECT_EQ(*user.Get("kept"), "safe");
  EXPECT_FALSE(user.Get("later")->has_value());
}

TEST_P(DpmLimitsTest, AFullIndexSaysSoAndReadsGoOn) {
  CreateOptions options = SmallPool();
  options.log_bytes = 128 * options.segment_bytes;
  options.index_bytes = 1;  // The least there is.
  auto pool = Open(Create(options));
  ASSERT_NE(pool, nullptr);
  DpmUser user(*pool, 0);
  int i = 0;
  Status status;
  for (; status.ok() && i < 100'000; ++i) {
    status = user.Apply({{Kind::kPut, "r" + std::to_string(i), "c", "x", {}}});
  }
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
  EXPECT_GT(i, 20);
  const auto all = user.All();
  if (all.ok()) {
    EXPECT_EQ(all->size(), static_cast<std::size_t>(i - 1));
  }
}

TEST_P(DpmLimitsTest, AReaderThatStaysIsNeverPulledTheGroundAway) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  DpmUser user(*pool, 0);
  ASSERT_OK(user.Put("seen", std::string(500, 's')));
  ASSERT_OK(pool->MergeAll());
  ReadEpochs::Reader reader = pool->read_epochs().NewReader();
  Status status;
  {
    const ReadEpochs::Guard guard(reader);
    const auto found = pool->Find(KeyView(Bucket(7), "seen"), SlotOfRow("seen"), 0);
    ASSERT_TRUE(found);
    for (int i = 0; status.ok() && i < 5000; ++i) {
      status = user.Put(i % 2 == 0 ? "seen" : "other", std::string(500, 'n'));
    }
    // Nothing was freed under it, so the pool ran full; what it saw is as it was.
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
    EXPECT_EQ(found->entry.data()[0], std::byte{'s'});
    EXPECT_EQ(found->entry.row(), "seen");
  }
  for (int i = 0; i < 1000; ++i) ASSERT_OK(user.Put("other", std::string(500, 'o')));
}

TEST_P(DpmLimitsTest, RowsAreDeletedAndExpireByOneEntry) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  auto user = std::make_unique<DpmUser>(*pool, 0);
  for (int i = 0; i < 300; ++i) {
    ASSERT_OK(user->Apply({{Kind::kPut, "row", "c" + std::to_string(i), "x", {}}}));
  }
  EXPECT_EQ(user->All()->size(), 300u);
  ASSERT_OK(user->Apply({{Kind::kDropRow, "row", {}, {}, {}}}));
  EXPECT_EQ(user->All()->size(), 0u);
  ASSERT_OK(user->Apply({{Kind::kPut, "row", "new", "y", {}}}));
  ASSERT_OK(user->Apply({{Kind::kExpireRow, "row", {}, {}, 1000}}));
  EXPECT_EQ(user->All(999)->size(), 1u);
  EXPECT_EQ(user->All(1000)->size(), 0u);
  // Once answered absent, absent: also for an owner whose clock is behind.
  ASSERT_OK(pool->RaiseClockFloor(1000));
  EXPECT_EQ(user->All(5)->size(), 0u);
  user.reset();
  pool = Open(Killed());
  ASSERT_NE(pool, nullptr);
  DpmUser later(*pool, 0);
  EXPECT_EQ(later.All(5)->size(), 0u);
  ExpectClean(Killed());
}

TEST_P(DpmLimitsTest, EveryOpenIsANewEpoch) {
  auto pool = Open(Create());
  ASSERT_NE(pool, nullptr);
  std::uint32_t epoch = pool->epoch();
  std::uint64_t incarnation = pool->incarnation();
  for (int i = 0; i < 3; ++i) {
    SpaceImage image = Killed();
    pool.reset();
    pool = Open(std::move(image));
    ASSERT_NE(pool, nullptr);
    EXPECT_GT(pool->epoch(), epoch);
    EXPECT_GT(pool->incarnation(), incarnation);
    epoch = pool->epoch();
    incarnation = pool->incarnation();
  }
}

TEST_P(DpmLimitsTest, OtherFilesAreRefusedByName) {
  const SpaceImage good = Create();
  SpaceImage image = good;
  image.erase(kControlName);
  EXPECT_CODE(TryOpen(image), kNotFound);
  image = good;
  image.erase(kLogName);
  EXPECT_CODE(TryOpen(image), kDataLoss);
  image = good;
  image[kLogName].resize(image[kLogName].size() - 1);
  EXPECT_FALSE(TryOpen(image).ok());
  image = good;
  std::fill(image[kControlName].begin(), image[kControlName].end(), std::byte{0});
  EXPECT_FALSE(TryOpen(image).ok());
  // The index can be made again.
  image = good;
  image.erase(kIndexName);
  EXPECT_OK(TryOpen(image));
}

INSTANTIATE_TEST_SUITE_P(Media, DpmLimitsTest, testing::Values(Medium::kFlushable, Medium::kFile),
                         [](const testing::TestParamInfo<Medium>& test) {
                           return test.param == Medium::kFile ? "File" : "Flushable";
                         });

TEST(DpmLockTest, ASecondProcessIsRefusedAndToldWhoHoldsThePool) {
  std::string path = "/tmp/cirein_lock_XXXXXX";
  ASSERT_NE(mkdtemp(path.data()), nullptr);
  {
    auto space = OpenDirectorySpace(path);
    ASSERT_OK(space.status());
    ASSERT_OK(Dpm::Create(**space, SmallPool()));
  }
  Findings findings;
  auto space = OpenDirectorySpace(path);
  ASSERT_OK(space.status());
  auto pool = Dpm::Open(std::move(*space), {}, &findings);
  ASSERT_OK(pool.status());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Findings own;
    auto again = OpenDirectorySpace(path);
    const auto refused = again.ok() ? Dpm::Open(std::move(*again), {}, &own).status() : OkStatus();
    const bool right = refused.code() == StatusCode::kFailedPrecondition &&
                       refused.ToString().find(std::to_string(getppid())) != std::string::npos;
    _exit(right ? 0 : 1);
  }
  int outcome = -1;
  waitpid(child, &outcome, 0);
  EXPECT_EQ(outcome, 0);
  pool->reset();
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace cirein::dpm
