// SPDX-License-Identifier: Apache-2.0
//
// What every space promises, run over all of them.
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "region/directory_space.h"
#include "region/region.h"
#include "region/scratch_directory.h"
#include "region/shadow_space.h"

namespace cirein {
namespace {

using Access = RegionSpace::Access;

constexpr PersistSite kSite = PersistSite::kBatch;

struct Held {
  std::unique_ptr<test::ScratchDirectory> directory;  // Null for shadows. Outlives the space.
  std::unique_ptr<RegionSpace> space;
};

struct SpaceKind {
  const char* name;
  std::function<Held()> make;
};

void PrintTo(const SpaceKind& kind, std::ostream* out) { *out << kind.name; }

Held InDirectory(const std::string& base, FlushMode flush) {
  Held held;
  held.directory = std::make_unique<test::ScratchDirectory>(base);
  auto space = OpenDirectorySpace(held.directory->path(), {.flush = flush});
  EXPECT_TRUE(space.ok()) << space.status().ToString();
  if (space.ok()) held.space = std::move(*space);
  return held;
}

Held Shadow(ShadowSpace::Medium medium) { return {nullptr, std::make_unique<ShadowSpace>(medium)}; }

const SpaceKind kKinds[] = {
    {"ShadowFlushable", [] { return Shadow(ShadowSpace::Medium::kFlushable); }},
    {"ShadowFile", [] { return Shadow(ShadowSpace::Medium::kFile); }},
    {"SharedMemory", [] { return InDirectory("/dev/shm", FlushMode::kAuto); }},
    {"SharedMemoryCacheLine", [] { return InDirectory("/dev/shm", FlushMode::kCacheLine); }},
    {"SharedMemorySynced", [] { return InDirectory("/dev/shm", FlushMode::kFile); }},
    {"Disk", [] { return InDirectory("/tmp", FlushMode::kAuto); }},
    {"DiskSynced", [] { return InDirectory("/tmp", FlushMode::kFile); }},
};

class RegionSpaceTest : public testing::TestWithParam<SpaceKind> {
 protected:
  RegionSpaceTest() : held_(GetParam().make()) {}

  void SetUp() override { ASSERT_NE(held_.space, nullptr); }
  RegionSpace& space() { return *held_.space; }

  std::unique_ptr<Region> MustCreate(const std::string& name, std::uint64_t bytes,
                                     RegionUse use = RegionUse::kLog) {
    auto region = space().Create(name, bytes, use);
    EXPECT_TRUE(region.ok()) << region.status().ToString();
    return region.ok() ? std::move(*region) : nullptr;
  }
  std::unique_ptr<Region> MustOpen(const std::string& name, RegionUse use = RegionUse::kLog,
                                   Access access = Access::kReadWrite) {
    auto region = space().Open(name, use, access);
    EXPECT_TRUE(region.ok()) << region.status().ToString();
    return region.ok() ? std::move(*region) : nullptr;
  }
  std::string Names() {
    const auto list = space().List();
    EXPECT_TRUE(list.ok());
    std::set<std::string> sorted;
    for (const auto& entry : *list) {
      sorted.insert(entry.name + ":" + std::to_string(entry.bytes) + " ");
    }
    std::string all;
    for (const auto& name : sorted) all += name;
    return all;
  }

 private:
  Held held_;
};

std::vector<std::byte> Repeated(char letter, std::size_t bytes) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(letter));
}

bool AllAre(const Region& region, std::uint64_t offset, std::uint64_t bytes, char letter) {
  for (std::uint64_t i = offset; i < offset + bytes; ++i) {
    if (region.data()[i] != static_cast<std::byte>(letter)) return false;
  }
  return true;
}

TEST_P(RegionSpaceTest, ANewRegionIsZerosAtAPage) {
  for (const RegionUse use : {RegionUse::kRecords, RegionUse::kLog, RegionUse::kWords}) {
    const std::string name = "r" + std::to_string(static_cast<int>(use));
    const auto region = MustCreate(name, 100'000, use);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(region->name(), name);
    EXPECT_EQ(region->size(), 100'000U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region->data()) % 4096, 0U);
    EXPECT_TRUE(AllAre(*region, 0, 100'000, '\0'));
    EXPECT_EQ(region->has_stores(), use == RegionUse::kWords || space().traits().flushable);
  }
}

TEST_P(RegionSpaceTest, WhatIsWrittenIsSeenAtOnceAndWhenOpenedAnew) {
  for (const RegionUse use : {RegionUse::kRecords, RegionUse::kLog, RegionUse::kWords}) {
    const std::string name = "r" + std::to_string(static_cast<int>(use));
    auto region = MustCreate(name, 10'000, use);
    ASSERT_NE(region, nullptr);
    ASSERT_TRUE(region->Write(4000, Repeated('x', 5000)).ok());
    EXPECT_TRUE(AllAre(*region, 4000, 5000, 'x'));
    EXPECT_TRUE(AllAre(*region, 0, 4000, '\0'));
    EXPECT_TRUE(AllAre(*region, 9000, 1000, '\0'));
    EXPECT_TRUE(region->Persist(4000, 5000, kSite).ok());
    region.reset();
    const auto again = MustOpen(name, use, Access::kReadOnly);
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(again->size(), 10'000U);
    EXPECT_TRUE(AllAre(*again, 4000, 5000, 'x'));
    EXPECT_TRUE(AllAre(*again, 9000, 1000, '\0'));
  }
}

TEST_P(RegionSpaceTest, WordsAreStoredAndCleared) {
  auto region = MustCreate("words", 8192, RegionUse::kWords);
  ASSERT_NE(region, nullptr);
  ASSERT_TRUE(region->has_stores());
  region->StoreWord(8, 0x0102'0304'0506'0708);
  region->StoreWord(8184, 7);
  EXPECT_EQ(region->LoadWord(8), 0x0102'0304'0506'0708U);
  EXPECT_EQ(region->data()[8], std::byte{8});
  EXPECT_TRUE(region->Persist(0, 8192, kSite).ok());
  region->Clear(0, 16);
  region->Clear(16, 0);
  EXPECT_EQ(region->LoadWord(8), 0U);
  EXPECT_EQ(region->LoadWord(8184), 7U);
  region.reset();
  const auto again = MustOpen("words", RegionUse::kWords);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->LoadWord(8), 0U);
  EXPECT_EQ(again->LoadWord(8184), 7U);
}

TEST_P(RegionSpaceTest, RangesThatDoNotFitAreRefused) {
  const auto region = MustCreate("a", 1000, RegionUse::kRecords);
  ASSERT_NE(region, nullptr);
  const auto bytes = Repeated('x', 10);
  EXPECT_EQ(region->Write(991, bytes).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(region->Write(1001, {}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(region->Write(UINT64_MAX - 4, bytes).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(region->Persist(991, 10, kSite).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(region->Persist(1, UINT64_MAX, kSite).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(AllAre(*region, 0, 1000, '\0'));
  EXPECT_TRUE(region->Write(990, bytes).ok());
  EXPECT_TRUE(region->Write(1000, {}).ok());
  EXPECT_TRUE(region->Persist(1000, 0, kSite).ok());
  EXPECT_TRUE(region->Persist(990, 10, kSite).ok());
}

TEST_P(RegionSpaceTest, AReadOnlyRegionCannotBeWritten) {
  ASSERT_NE(MustCreate("a", 1000, RegionUse::kWords), nullptr);
  const auto region = MustOpen("a", RegionUse::kWords, Access::kReadOnly);
  ASSERT_NE(region, nullptr);
  EXPECT_FALSE(region->has_stores());
  EXPECT_EQ(region->Write(0, Repeated('x', 1)).code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(AllAre(*region, 0, 1, '\0'));
}

TEST_P(RegionSpaceTest, NamesComeAndGo) {
  EXPECT_EQ(Names(), "");
  EXPECT_EQ(space().Open("a", RegionUse::kLog, Access::kReadOnly).code(), StatusCode::kNotFound);
  EXPECT_EQ(space().Remove("a").code(), StatusCode::kNotFound);
  const auto region = MustCreate("a", 1000);
  ASSERT_NE(MustCreate("b", 2000), nullptr);
  EXPECT_TRUE(space().PersistNames(PersistSite::kFormat).ok());
  EXPECT_EQ(Names(), "a:1000 b:2000 ");
  EXPECT_EQ(space().Create("a", 5, RegionUse::kLog).code(), StatusCode::kAlreadyExists);
  ASSERT_TRUE(space().Remove("a").ok());
  EXPECT_EQ(Names(), "b:2000 ");
  // Who still holds it can go on.
  EXPECT_TRUE(region->Write(0, Repeated('x', 1000)).ok());
  EXPECT_TRUE(region->Persist(0, 1000, kSite).ok());
  EXPECT_TRUE(AllAre(*region, 0, 1000, 'x'));
  const auto next = MustCreate("a", 500);
  ASSERT_NE(next, nullptr);
  EXPECT_TRUE(AllAre(*next, 0, 500, '\0'));
  EXPECT_TRUE(space().PersistNames(PersistSite::kFormat).ok());
}

TEST_P(RegionSpaceTest, NamesThatAreNoPlainFileNamesAreRefused) {
  const std::string long_name(256, 'n');
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/a"),
        std::string("lock"), std::string("a\0b", 3), long_name}) {
    EXPECT_EQ(space().Create(name, 8, RegionUse::kLog).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(space().Open(name, RegionUse::kLog, Access::kReadOnly).code(),
              StatusCode::kInvalidArgument);
    EXPECT_EQ(space().Remove(name).code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Names(), "");
}

TEST_P(RegionSpaceTest, ARegionMayBeEmpty) {
  const auto region = MustCreate("a", 0, RegionUse::kWords);
  ASSERT_NE(region, nullptr);
  EXPECT_EQ(region->size(), 0U);
  EXPECT_NE(region->data(), nullptr);
  EXPECT_TRUE(region->Write(0, {}).ok());
  EXPECT_TRUE(region->Persist(0, 0, kSite).ok());
  EXPECT_EQ(region->Write(0, Repeated('x', 1)).code(), StatusCode::kInvalidArgument);
  const auto again = MustOpen("a");
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->size(), 0U);
  EXPECT_EQ(Names(), "a:0 ");
}

TEST_P(RegionSpaceTest, TheLockIsNoRegionAndMayBeTakenAgainByItsHolder) {
  ASSERT_TRUE(space().Lock().ok());
  ASSERT_TRUE(space().Lock().ok());
  EXPECT_EQ(Names(), "");
}

TEST_P(RegionSpaceTest, SaysWhatItIs) {
  EXPECT_FALSE(space().path().empty());
  EXPECT_FALSE(space().boot_id().empty());
  EXPECT_FALSE(space().traits().description.empty());
  EXPECT_GE(space().traits().granularity, 8U);
}

TEST_P(RegionSpaceTest, ThreadsWriteAndPersistAtOnce) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kRounds = 20;
  constexpr std::uint64_t kBytes = 700;  // So that the threads share lines, sectors and pages.
  const auto region = MustCreate("a", kThreads * kRounds * kBytes);
  ASSERT_NE(region, nullptr);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t round = 0; round < kRounds; ++round) {
        const std::uint64_t offset = (round * kThreads + t) * kBytes;
        EXPECT_TRUE(region->Write(offset, Repeated(static_cast<char>('a' + t), kBytes)).ok());
        EXPECT_TRUE(region->Persist(offset, kBytes, kSite).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::uint64_t i = 0; i < kThreads * kRounds; ++i) {
    EXPECT_TRUE(AllAre(*region, i * kBytes, kBytes, static_cast<char>('a' + i % kThreads)));
  }
}

INSTANTIATE_TEST_SUITE_P(Spaces, RegionSpaceTest, testing::ValuesIn(kKinds),
                         [](const testing::TestParamInfo<SpaceKind>& tested) {
                           return std::string(tested.param.name);
                         });

}  // namespace
}  // namespace cirein
