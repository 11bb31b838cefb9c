// SPDX-License-Identifier: Apache-2.0
#include "cirein/arena.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "memory/counting_registrar.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using test::CountingRegistrar;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kChunk = 2 * kMiB;

std::shared_ptr<Arena> MakeArena(ArenaOptions options = {}) {
  return Arena::Create(std::move(options)).value();
}

DataObject Make(Arena& arena, std::uint64_t data_bytes) {
  return DataObject::Allocate({.data_bytes = data_bytes}, &arena).value();
}

TEST(Arena, RefusesALimitThatLeavesNoRoom) {
  EXPECT_CODE(Arena::Create({.limit_bytes = kChunk - 1}), kInvalidArgument);
  EXPECT_OK(Arena::Create({.limit_bytes = kChunk}));
}

TEST(Arena, RefusesRegistrationWithoutARegistrar) {
  EXPECT_CODE(Arena::Create({.registration = DataObject::Registration::kLazy}), kInvalidArgument);
}

TEST(Arena, KeepsItsName) {
  EXPECT_EQ(MakeArena({.name = "pictures"})->name(), "pictures");
  EXPECT_EQ(Arena::Default().name(), "default");
  EXPECT_EQ(&Arena::Default(), &Arena::Default());
}

TEST(Arena, CountsWhatItHolds) {
  const auto arena = MakeArena();
  EXPECT_EQ(arena->Stats().mapped_bytes, 0u);
  {
    const DataObject small = Make(*arena, 64);
    const DataObject big = Make(*arena, 10 * kMiB);
    const ArenaStats stats = arena->Stats();
    EXPECT_EQ(stats.live_blocks, 2u);
    EXPECT_EQ(stats.allocations, 2u);
    EXPECT_EQ(stats.used_bytes, small.memory_bytes() + big.memory_bytes());
    EXPECT_EQ(stats.mapped_bytes, kChunk + big.memory_bytes());
    EXPECT_EQ(stats.cached_bytes, stats.mapped_bytes - stats.used_bytes);
  }
  const ArenaStats stats = arena->Stats();
  EXPECT_EQ(stats.live_blocks, 0u);
  EXPECT_EQ(stats.used_bytes, 0u);
  EXPECT_EQ(stats.allocations, 2u);
  EXPECT_GT(stats.cached_bytes, 10 * kMiB);
}

TEST(Arena, TrimGivesBackAllThatIsFree) {
  const auto arena = MakeArena();
  DataObject kept = Make(*arena, 100);
  for (const std::uint64_t bytes : {40ul, 5'000ul, 100'000ul, 300'000ul, 5'000'000ul}) {
    Make(*arena, bytes);
  }
  const std::uint64_t before = arena->Stats().mapped_bytes;
  const std::uint64_t trimmed = arena->Trim();
  EXPECT_GT(trimmed, 5'000'000u);
  EXPECT_EQ(arena->Stats().mapped_bytes, before - trimmed);
  EXPECT_EQ(arena->Stats().mapped_bytes, kChunk);  // Of what is kept.
  kept = DataObject();
  EXPECT_EQ(arena->Trim(), kChunk);
  EXPECT_EQ(arena->Stats().mapped_bytes, 0u);
  EXPECT_EQ(arena->Trim(), 0u);
}

TEST(Arena, UsesBigBlocksAgain) {
  const auto arena = MakeArena();
  const std::byte* const first = Make(*arena, 64 * kMiB).data().data();
  const DataObject again = Make(*arena, 60 * kMiB);
  EXPECT_EQ(again.data().data(), first);
  // A quarter of the block would be wasted on this one, so it gets its own.
  const std::uint64_t before = arena->Stats().mapped_bytes;
  Make(*arena, 30 * kMiB);
  EXPECT_GE(arena->Stats().mapped_bytes, before + 30 * kMiB);
}

TEST(Arena, CachesNoMoreThanItMay) {
  const auto arena = MakeArena({.cache_bytes = 10 * kMiB});
  {
    std::vector<DataObject> objects;
    for (int i = 0; i < 8; ++i) objects.push_back(Make(*arena, 4 * kMiB));
  }
  EXPECT_LE(arena->Stats().mapped_bytes, 10 * kMiB);
  EXPECT_GT(arena->Stats().mapped_bytes, 4 * kMiB);

  const auto none = MakeArena({.cache_bytes = 0});
  Make(*none, 4 * kMiB);
  EXPECT_EQ(none->Stats().mapped_bytes, 0u);
}

TEST(Arena, MemoryOfOneSizeServesAnother) {
  const auto arena = MakeArena({.limit_bytes = 4 * kChunk});
  for (const std::uint64_t bytes :
       {30ul, 1'000ul, 8'000ul, 20'000ul, 200'000ul, 3'000'000ul, 30ul}) {
    // Most of the limit in one size, then in the next.
    std::vector<DataObject> objects;
    for (std::uint64_t total = 0; total < 5 * kMiB; total += bytes + 32) {
      auto object = DataObject::Allocate({.data_bytes = bytes}, arena.get());
      ASSERT_OK(object) << bytes << " after " << total;
      objects.push_back(*object);
    }
  }
}

TEST(Arena, EnforcesItsLimit) {
  const auto arena = MakeArena({.name = "tight", .limit_bytes = 8 * kMiB});
  std::vector<DataObject> objects;
  Status full;
  while (full.ok()) {
    auto object = DataObject::Allocate({.data_bytes = 1'000}, arena.get());
    full = object.status();
    if (object.ok()) objects.push_back(*object);
    ASSERT_LE(arena->Stats().mapped_bytes, 8 * kMiB);
  }
  EXPECT_CODE(full, kResourceExhausted);
  EXPECT_NE(full.message().find("tight"), std::string_view::npos) << full.ToString();
  EXPECT_GT(objects.size() * 1'000, 7'000'000u);
  EXPECT_CODE(DataObject::Allocate({.data_bytes = 1 * kMiB}, arena.get()), kResourceExhausted);
  objects.pop_back();
  EXPECT_OK(DataObject::Allocate({.data_bytes = 1'000}, arena.get()));
  objects.clear();
  // What is free in small blocks makes room for a big one, and back again.
  EXPECT_OK(DataObject::Allocate({.data_bytes = 7 * kMiB}, arena.get()));
  EXPECT_OK(DataObject::Allocate({.data_bytes = 1'000}, arena.get()));
  EXPECT_CODE(DataObject::Allocate({.data_bytes = 8 * kMiB}, arena.get()), kResourceExhausted);
}

TEST(Arena, FailsCleanlyOnAbsurdSizes) {
  const auto arena = MakeArena();
  const std::uint64_t absurd[] = {DataObject::kMaxDataBytes, DataObject::kMaxDataBytes - 1,
                                  std::uint64_t{1} << 45};
  for (const std::uint64_t bytes : absurd) {
    EXPECT_CODE(DataObject::Allocate({.data_bytes = bytes}, arena.get()), kResourceExhausted);
  }
  EXPECT_CODE(DataObject::Allocate({.data_bytes = UINT64_MAX}, arena.get()), kInvalidArgument);
  EXPECT_CODE(DataObject::Allocate({.meta_bytes = SIZE_MAX, .data_bytes = UINT64_MAX}, arena.get()),
              kInvalidArgument);
  EXPECT_EQ(arena->Stats().mapped_bytes, 0u);
  EXPECT_EQ(arena->Stats().allocations, 0u);
  EXPECT_OK(DataObject::Allocate({.data_bytes = 1}, arena.get()));
}

TEST(Arena, MayGoBeforeItsObjects) {
  CountingRegistrar registrar;  // Tells when memory is given back.
  std::vector<DataObject> objects;
  {
    const auto arena =
        MakeArena({.registrar = &registrar, .registration = DataObject::Registration::kEager});
    for (const std::uint64_t bytes : {10ul, 100ul, 50'000ul, 100'000ul, 1'000'000ul}) {
      for (int i = 0; i < 50; ++i) objects.push_back(Make(*arena, bytes));
    }
    objects.resize(objects.size() - 10);
  }
  EXPECT_GT(registrar.living(), 0u);
  for (DataObject& object : objects) {
    std::memset(object.mutable_data().data(), 1, object.data_bytes());
  }
  while (!objects.empty()) {
    EXPECT_GT(registrar.living(), 0u);
    objects.pop_back();
  }
  EXPECT_EQ(registrar.living(), 0u);
  EXPECT_EQ(registrar.unknown(), 0);
}

TEST(Arena, WithoutObjectsGoesAtOnce) {
  CountingRegistrar registrar;
  {
    const auto arena =
        MakeArena({.registrar = &registrar, .registration = DataObject::Registration::kEager});
    Make(*arena, 100);
    Make(*arena, 1'000'000);
    EXPECT_EQ(registrar.living(), 2u);
  }
  EXPECT_EQ(registrar.living(), 0u);
}

// ---- Against a model: every object holds a pattern that only it can have.

void Fill(DataObject& object, std::uint64_t pattern) {
  const auto bytes = object.mutable_data();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(pattern * 0x9E37'79B9'7F4A'7C15u >> (i % 56));
  }
}

bool Holds(const DataObject& object, std::uint64_t pattern) {
  const auto bytes = object.data();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != static_cast<std::byte>(pattern * 0x9E37'79B9'7F4A'7C15u >> (i % 56))) {
      return false;
    }
  }
  return true;
}

struct Patterned {
  DataObject object;
  std::uint64_t pattern = 0;
};

// Mostly small, sometimes large.
std::uint64_t RandomBytes(std::mt19937_64& random) {
  const std::uint64_t bits = random() % 100 < 97 ? random() % 12 : random() % 20;
  return random() % (std::uint64_t{2} << bits);
}

TEST(Arena, RandomUseKeepsEveryObjectIntact) {
  std::mt19937_64 random(test::Seed());
  const auto arena = MakeArena({.limit_bytes = 64 * kMiB, .cache_bytes = 4 * kMiB});
  std::vector<Patterned> living;
  std::uint64_t used_bytes = 0;
  for (std::uint64_t step = 1; step <= 20'000; ++step) {
    if (living.empty() || random() % 100 < 51) {
      auto object = DataObject::Allocate({.data_bytes = RandomBytes(random)}, arena.get());
      ASSERT_OK(object);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(object->data().data()) % 16, 0u);
      Fill(*object, step);
      used_bytes += object->memory_bytes();
      living.push_back({*std::move(object), step});
    } else {
      std::swap(living[random() % living.size()], living.back());
      ASSERT_TRUE(Holds(living.back().object, living.back().pattern));
      used_bytes -= living.back().object.memory_bytes();
      living.pop_back();
    }
    if (step % 4'000 == 0) arena->Trim();
  }
  for (const Patterned& item : living) ASSERT_TRUE(Holds(item.object, item.pattern));
  EXPECT_EQ(arena->Stats().live_blocks, living.size());
  EXPECT_EQ(arena->Stats().used_bytes, used_bytes);
  living.clear();
  arena->Trim();
  EXPECT_EQ(arena->Stats().mapped_bytes, 0u);
}

// Threads pass objects on through a shared table, so that most are freed where they were not made.
TEST(Arena, ThreadsFreeWhatOthersAllocated) {
  constexpr std::size_t kThreads = 6;
  constexpr std::uint64_t kSteps = 6'000;
  const std::uint64_t seed = test::Seed();
  CountingRegistrar registrar;
  auto arena = MakeArena({.cache_bytes = 4 * kMiB,
                          .registrar = &registrar,
                          .registration = DataObject::Registration::kEager});
  std::mutex mutex;
  std::vector<Patterned> table(200);
  std::atomic<int> damaged{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      for (std::uint64_t step = 1; step <= kSteps; ++step) {
        auto object = DataObject::Allocate({.data_bytes = RandomBytes(random)}, arena.get());
        if (!object.ok()) {
          ++damaged;
          continue;
        }
        const std::uint64_t pattern = t * kSteps + step;
        Fill(*object, pattern);
        Patterned item{*std::move(object), pattern};
        {
          const std::lock_guard lock(mutex);
          std::swap(item, table[random() % table.size()]);
        }
        if (!item.object.is_null() && !Holds(item.object, item.pattern)) ++damaged;
        if (step % 2'000 == 0) arena->Trim();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(damaged, 0);
  EXPECT_EQ(arena->Stats().allocations, kThreads * kSteps);
  const auto living = static_cast<std::uint64_t>(std::count_if(
      table.begin(), table.end(), [](const Patterned& item) { return !item.object.is_null(); }));
  EXPECT_EQ(arena->Stats().live_blocks, living);
  EXPECT_EQ(registrar.living_bytes(), arena->Stats().mapped_bytes);
  arena.reset();
  for (const Patterned& item : table) {
    ASSERT_TRUE(item.object.is_null() || Holds(item.object, item.pattern));
  }
  table.clear();
  EXPECT_EQ(registrar.living(), 0u);
  EXPECT_EQ(registrar.unknown(), 0);
}

// The end of the arena and the last frees of several threads meet.
TEST(Arena, EndsWhileThreadsFree) {
  for (int round = 0; round < 60; ++round) {
    CountingRegistrar registrar;
    auto arena =
        MakeArena({.registrar = &registrar, .registration = DataObject::Registration::kEager});
    std::vector<std::vector<DataObject>> shares(3);
    for (auto& share : shares) {
      for (int i = 0; i < 100; ++i) {
        share.push_back(Make(*arena, i % 20 == 0 ? 400'000u : static_cast<std::uint64_t>(i)));
      }
    }
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    for (auto& share : shares) {
      threads.emplace_back([&] {
        while (!go.load()) std::this_thread::yield();
        share.clear();
      });
    }
    go = true;
    arena.reset();
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(registrar.living(), 0u);
    ASSERT_EQ(registrar.unknown(), 0);
  }
}

TEST(Arena, ThreadsThatMeetTheLimitGetErrorsAndNothingElse) {
  const auto arena = MakeArena({.limit_bytes = 3 * kChunk});
  std::atomic<int> refused{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        std::vector<DataObject> objects;
        for (int i = 0; i < 300; ++i) {
          auto object = DataObject::Allocate({.data_bytes = 9'000}, arena.get());
          if (object.ok()) {
            objects.push_back(*std::move(object));
          } else {
            ++(object.code() == StatusCode::kResourceExhausted ? refused : wrong);
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(arena->Stats().mapped_bytes, 3 * kChunk);
  EXPECT_EQ(arena->Stats().live_blocks, 0u);
  // One thread alone asks for 2.7 MB at a time and must get it, whatever happened before.
  std::vector<DataObject> objects;
  for (int i = 0; i < 300; ++i) objects.push_back(Make(*arena, 9'000));
}

}  // namespace
}  // namespace cirein
