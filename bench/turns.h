// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

/// How comparisons are made: both sides in turns within one run, several times, medians at the end.
namespace cirein::bench {

using Seconds = std::chrono::duration<double>;

inline double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Runs `work(thread)` on `threads` threads that begin together; the time until the last one ends.
inline double TimeThreads(std::size_t threads, const std::function<void(std::size_t)>& work) {
  std::barrier ready(static_cast<std::ptrdiff_t>(threads) + 1);
  std::vector<std::thread> workers;
  workers.reserve(threads);
  for (std::size_t thread = 0; thread < threads; ++thread) {
    workers.emplace_back([&, thread] {
      ready.arrive_and_wait();
      work(thread);
    });
  }
  // Before the barrier lets them go: a busy machine may not run this thread again for a while.
  const auto start = std::chrono::steady_clock::now();
  ready.arrive_and_wait();
  for (std::thread& worker : workers) worker.join();
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

/// Time of one call.
inline double Time(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

/// Seconds of processor time that this thread has had: what else runs disturbs it less.
inline double ThreadTime() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace cirein::bench
