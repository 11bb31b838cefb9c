// SPDX-License-Identifier: Apache-2.0
#include "region/shared_sync.h"

#include <algorithm>
#include <utility>

namespace cirein {

namespace {

// However slow the medium is: a call is not put off for longer.
constexpr std::chrono::milliseconds kMaxGather(1);
// After so many times in vain, 2 to this power calls are made without waiting for anybody.
constexpr std::uint64_t kMaxInVain = 8;

}  // namespace

Status SharedSync::Wait() {
  std::unique_lock lock(mutex_);
  const std::uint64_t needed = begun_ + 1;
  ++waiting_;
  while (failure_.ok() && done_ < needed) {
    if (begun_ != done_) {
      ended_.wait(lock);
    } else if (waiting_ < expected_) {
      Gather(lock);
    } else {
      Lead(lock);
    }
  }
  // A call that ended well before another failed kept what it was called for.
  return done_ >= needed ? OkStatus() : failure_;
}

void SharedSync::Gather(std::unique_lock<std::mutex>& lock) {
  const std::uint64_t begun = begun_;
  ended_.wait_until(lock, gather_until_);
  if (begun_ != begun || waiting_ >= expected_ || Clock::now() < gather_until_) return;
  expected_ = 0;
  in_vain_ = std::min(in_vain_ + 1, kMaxInVain);
  wait_again_ = begun_ + (std::uint64_t{1} << in_vain_);
}

void SharedSync::Lead(std::unique_lock<std::mutex>& lock) {
  if (expected_ > 1) in_vain_ = 0;
  ++begun_;
  const std::uint64_t served = std::exchange(waiting_, 0);
  lock.unlock();
  const Clock::time_point begin = Clock::now();
  Status outcome = sync_();
  lock.lock();
  if (outcome.ok()) {
    done_ = begun_;
  } else {
    failure_ = std::move(outcome);
  }
  Ended(begin, served);
  ended_.notify_all();
}

void SharedSync::Ended(Clock::time_point begin, std::uint64_t served) {
  // Alone there is nobody to wait for.
  const bool gathers = served + waiting_ > 1 && begun_ >= wait_again_;
  expected_ = gathers ? served + waiting_ : 0;
  if (!gathers) return;
  const Clock::time_point end = Clock::now();
  gather_until_ = end + std::min<Clock::duration>(end - begin, kMaxGather);
}

std::uint64_t SharedSync::calls() const {
  const std::lock_guard lock(mutex_);
  return begun_;
}

}  // namespace cirein
