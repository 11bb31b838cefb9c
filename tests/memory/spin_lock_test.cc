// SPDX-License-Identifier: Apache-2.0
#include "memory/spin_lock.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(SpinLock, OneAtATime) {
  SpinLock lock;
  EXPECT_TRUE(lock.TryLock());
  EXPECT_FALSE(lock.TryLock());
  lock.Unlock();
  EXPECT_TRUE(lock.TryLock());
  lock.Unlock();
}

TEST(SpinLock, ProtectsWhatIsBehindIt) {
  SpinLock lock;
  int count = 0;  // Not atomic on purpose.
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) {
        lock.Lock();
        ++count;
        lock.Unlock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 20'000);
}

}  // namespace
}  // namespace cirein
