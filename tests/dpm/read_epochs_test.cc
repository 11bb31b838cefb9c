// SPDX-License-Identifier: Apache-2.0
#include "dpm/read_epochs.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace cirein::dpm {
namespace {

TEST(ReadEpochs, PassesWhenNobodyIsInside) {
  ReadEpochs epochs;
  EXPECT_TRUE(epochs.Passed(epochs.Retire()));
  ReadEpochs::Reader reader = epochs.NewReader();
  ASSERT_TRUE(reader.seated());
  EXPECT_TRUE(epochs.Passed(epochs.Retire()));
}

TEST(ReadEpochs, WaitsForThoseInsideAndOnlyForThem) {
  ReadEpochs epochs;
  ReadEpochs::Reader early = epochs.NewReader();
  ReadEpochs::Reader late = epochs.NewReader();
  early.Enter();
  const std::uint64_t stamp = epochs.Retire();
  EXPECT_FALSE(epochs.Passed(stamp));
  late.Enter();
  const std::uint64_t next = epochs.Retire();
  early.Leave();
  EXPECT_TRUE(epochs.Passed(stamp));
  EXPECT_FALSE(epochs.Passed(next));
  late.Leave();
  EXPECT_TRUE(epochs.Passed(next));
}

TEST(ReadEpochs, Nests) {
  ReadEpochs epochs;
  ReadEpochs::Reader reader = epochs.NewReader();
  std::uint64_t stamp = 0;
  {
    const ReadEpochs::Guard outer(reader);
    stamp = epochs.Retire();
    { const ReadEpochs::Guard inner(reader); }
    EXPECT_FALSE(epochs.Passed(stamp));
  }
  EXPECT_TRUE(epochs.Passed(stamp));
}

TEST(ReadEpochs, SeatsAreBoundedAndGivenBack) {
  ReadEpochs epochs;
  std::vector<ReadEpochs::Reader> readers;
  for (int i = 0; i < ReadEpochs::kMaxReaders; ++i) {
    readers.push_back(epochs.NewReader());
    ASSERT_TRUE(readers.back().seated());
  }
  EXPECT_FALSE(epochs.NewReader().seated());
  readers.back().Enter();
  EXPECT_FALSE(epochs.Passed(epochs.Retire()));
  readers.back().Leave();
  readers.pop_back();
  ReadEpochs::Reader moved = epochs.NewReader();
  EXPECT_TRUE(moved.seated());
  ReadEpochs::Reader other = std::move(moved);
  EXPECT_TRUE(other.seated());
  readers.front() = std::move(other);
  EXPECT_TRUE(epochs.NewReader().seated());
}

TEST(ReadEpochsDeathTest, AReaderWithoutSeatProtectsNothing) {
  ReadEpochs::Reader reader;
  EXPECT_DEATH(reader.Enter(), "without a seat");
}

// A writer replaces a number in memory that it uses again once the epoch has passed: a reader that
// follows the pointer must never see the memory being reused. The thread sanitizer sees more than
// the numbers do.
TEST(ReadEpochs, ReusesNothingUnderAReader) {
  struct Box {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
  };
  ReadEpochs epochs;
  Box boxes[2];
  std::atomic<Box*> current{&boxes[0]};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> torn{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      ReadEpochs::Reader reader = epochs.NewReader();
      while (!stop.load(std::memory_order_relaxed)) {
        const ReadEpochs::Guard guard(reader);
        const Box* const box = current.load(std::memory_order_acquire);
        if (box->a != box->b) torn.fetch_add(1);
      }
    });
  }
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    Box* const next = &boxes[i % 2];
    next->a = i;
    next->b = i;
    current.store(next, std::memory_order_release);
    const std::uint64_t stamp = epochs.Retire();
    while (!epochs.Passed(stamp)) std::this_thread::yield();
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(torn.load(), 0U);
}

}  // namespace
}  // namespace cirein::dpm
