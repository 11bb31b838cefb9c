// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "bench/pool_store.h"

namespace cirein::bench {

/// A thread that merges, cleans and syncs a pool while it lives, as a program with a pool has one.
/// It looks by itself now and then: to be woken by each commit would cost the writers more than
/// what they do.
class PoolWorker {
 public:
  explicit PoolWorker(dpm::Dpm& pool) : thread_([this, &pool] { Run(pool); }) {}
  ~PoolWorker() {
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Run(dpm::Dpm& pool) {
    auto sync_at = Clock::now() + std::chrono::milliseconds(500);
    while (!stop_.load(std::memory_order_relaxed)) {
      const auto done = Must(pool.Work(dpm::Dpm::Urgency::kNormal));
      if (!done.any()) std::this_thread::sleep_for(std::chrono::microseconds(500));
      if (Clock::now() < sync_at) continue;
      Must(pool.Sync());
      sync_at = Clock::now() + std::chrono::milliseconds(500);
    }
  }

  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace cirein::bench
