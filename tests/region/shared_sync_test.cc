// SPDX-License-Identifier: Apache-2.0
#include "region/shared_sync.h"

#include <atomic>
#include <semaphore>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(SharedSyncTest, OneThreadAloneCallsEachTime) {
  int calls = 0;
  SharedSync sync([&] {
    ++calls;
    return OkStatus();
  });
  EXPECT_TRUE(sync.Wait().ok());
  EXPECT_TRUE(sync.Wait().ok());
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(sync.calls(), 2U);
}

TEST(SharedSyncTest, WhoComesDuringACallNeedsTheNextAndAllShareIt) {
  constexpr int kFollowers = 8;
  std::counting_semaphore<> inside(0);
  std::counting_semaphore<> go_on(0);
  SharedSync sync([&] {
    inside.release();
    go_on.acquire();
    return OkStatus();
  });
  std::atomic<int> returned{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] { EXPECT_TRUE(sync.Wait().ok()); });
  inside.acquire();
  for (int i = 0; i < kFollowers; ++i) {
    threads.emplace_back([&] {
      EXPECT_TRUE(sync.Wait().ok());
      ++returned;
    });
  }
  go_on.release();
  inside.acquire();        // The second call began after the first ended, and has not ended:
  EXPECT_EQ(returned, 0);  // so nobody who needs it has come back.
  go_on.release(kFollowers);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(returned, kFollowers);
  EXPECT_GE(sync.calls(), 2U);
  EXPECT_LE(sync.calls(), 1U + kFollowers);
}

TEST(SharedSyncTest, TheFirstFailureSticks) {
  int calls = 0;
  SharedSync sync([&] { return ++calls == 2 ? IoError("the disk fails") : OkStatus(); });
  EXPECT_TRUE(sync.Wait().ok());
  EXPECT_EQ(sync.Wait().code(), StatusCode::kIoError);
  EXPECT_EQ(sync.Wait().code(), StatusCode::kIoError);
  EXPECT_EQ(calls, 2);
}

TEST(SharedSyncTest, AFailureReachesAllWhoWaitForIt) {
  constexpr int kThreads = 4;
  std::counting_semaphore<> go_on(0);
  SharedSync sync([&] {
    go_on.acquire();
    return IoError("the disk fails");
  });
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      if (sync.Wait().code() == StatusCode::kIoError) ++failed;
    });
  }
  go_on.release();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, kThreads);
  EXPECT_EQ(sync.calls(), 1U);
}

// What a thread wrote before it waits is covered by the call that it waits for.
TEST(SharedSyncTest, ManyThreadsAreNeverToldTooEarly) {
  constexpr std::size_t kThreads = 4;
  std::atomic<int> written[kThreads] = {};
  std::atomic<int> kept[kThreads] = {};
  SharedSync sync([&] {
    for (std::size_t i = 0; i < kThreads; ++i) kept[i] = written[i].load();
    return OkStatus();
  });
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 1; round <= 2000; ++round) {
        written[t] = round;
        ASSERT_TRUE(sync.Wait().ok());
        ASSERT_GE(kept[t].load(), round);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace cirein
