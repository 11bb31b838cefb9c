// SPDX-License-Identifier: Apache-2.0
#include "runtime/bounded_queue.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(BoundedQueue, IsFirstInFirstOut) {
  BoundedQueue<int> queue(4);
  EXPECT_EQ(queue.TryPop(), std::nullopt);
  for (int lap = 0; lap < 10; ++lap) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.TryPush(lap * 3 + i));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.TryPop(), lap * 3 + i);
  }
  EXPECT_FALSE(queue.MayHaveMore());
}

TEST(BoundedQueue, RefusesBeyondItsCapacityAndLeavesTheValue) {
  BoundedQueue<std::unique_ptr<int>> queue(3);
  EXPECT_EQ(queue.capacity(), 4U);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.TryPush(std::make_unique<int>(i)));
  auto refused = std::make_unique<int>(5);
  EXPECT_FALSE(queue.TryPush(std::move(refused)));
  ASSERT_NE(refused, nullptr);  // NOLINT(bugprone-use-after-move): that is the promise.
  EXPECT_EQ(queue.ApproximateSize(), 4U);
  EXPECT_EQ(**queue.TryPop(), 0);
  EXPECT_TRUE(queue.TryPush(std::move(refused)));
}

TEST(BoundedQueue, KeepsNothingOfWhatWasTaken) {
  BoundedQueue<std::shared_ptr<int>> queue(2);
  auto value = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = value;
  ASSERT_TRUE(queue.TryPush(std::move(value)));
  EXPECT_FALSE(seen.expired());
  queue.TryPop();
  EXPECT_TRUE(seen.expired());
}

TEST(BoundedQueue, LosesAndDoublesNothingBetweenThreads) {
  constexpr std::size_t kProducers = 3;
  constexpr std::size_t kEach = 20'000;
  BoundedQueue<std::size_t> queue(64);
  std::vector<std::atomic<int>> seen(kProducers * kEach);
  std::atomic<std::size_t> taken{0};
  std::atomic<bool> in_order{true};
  std::vector<std::thread> threads;
  for (std::size_t producer = 0; producer < kProducers; ++producer) {
    threads.emplace_back([&queue, producer] {
      for (std::size_t i = 0; i < kEach; ++i) {
        while (!queue.TryPush(producer * kEach + i)) std::this_thread::yield();
      }
    });
  }
  for (int consumer = 0; consumer < 2; ++consumer) {
    threads.emplace_back([&] {
      std::vector<std::size_t> last(kProducers, 0);
      while (taken.load() < kProducers * kEach) {
        const auto value = queue.TryPop();
        if (!value) {
          std::this_thread::yield();
          continue;
        }
        ++taken;
        ++seen[*value];
        std::size_t& last_of_producer = last[*value / kEach];
        if (*value < last_of_producer) in_order = false;
        last_of_producer = *value;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(in_order);
  for (const auto& count : seen) ASSERT_EQ(count, 1);
}

}  // namespace
}  // namespace cirein
