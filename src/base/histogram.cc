// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "base/units.h"

namespace cirein {
namespace {

// Each power of two has 2^kSubBits buckets. A value's bucket is its first kSubBits + 1 bits
// together with the number of bits behind them (the shift).
constexpr int kSubBits = 7;
constexpr std::uint64_t kSubBuckets = std::uint64_t{1} << kSubBits;

std::string ShowNs(std::uint64_t value) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
  return DurationForPeople(
      std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(value, kMost))));
}

}  // namespace

std::size_t Histogram::IndexOf(std::uint64_t value) noexcept {
  const int bits = static_cast<int>(std::bit_width(value));
  const int shift = std::max(0, bits - (kSubBits + 1));
  return static_cast<std::size_t>(static_cast<std::uint64_t>(shift) * kSubBuckets +
                                  (value >> shift));
}

std::uint64_t Histogram::LowestOf(std::size_t index) noexcept {
  if (index < 2 * kSubBuckets) return index;
  const std::uint64_t shift = index / kSubBuckets - 1;
  return (index - shift * kSubBuckets) << shift;
}

std::uint64_t Histogram::HighestOf(std::size_t index) noexcept {
  if (index < 2 * kSubBuckets) return index;
  const std::uint64_t shift = index / kSubBuckets - 1;
  return LowestOf(index) + ((std::uint64_t{1} << shift) - 1);
}

void Histogram::RecordMany(std::uint64_t value, std::uint64_t count) {
  if (count == 0) return;
  const std::size_t index = IndexOf(value);
  if (index >= counts_.size()) counts_.resize(index + 1);
  counts_[index] += count;
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  count_ += count;
  sum_ += static_cast<double>(value) * static_cast<double>(count);
}

void Histogram::Merge(const Histogram& other) {
  if (other.count_ == 0) return;
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
}

double Histogram::mean() const noexcept {
  return count_ == 0 ? 0.0 : sum_ / static_cast<double>(count_);
}

std::uint64_t Histogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  if (!(percent > 0)) return min();
  if (percent >= 100) return max_;
  const double wanted = std::ceil(percent / 100.0 * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::clamp(HighestOf(i), min_, max_);
  }
  return max_;
}

void Histogram::ForEachBucket(const std::function<void(const Bucket&)>& visit) const {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] != 0) visit(Bucket{LowestOf(i), HighestOf(i), counts_[i]});
  }
}

std::string Histogram::Summary() const {
  // The mean of huge values may round to 2^64, which no integer can take.
  const double mean_ns = std::min(mean(), 0x1.0p63);
  return fmt::format("count {} mean {} min {} p50 {} p95 {} p99 {} p99.9 {} max {}", count_,
                     ShowNs(static_cast<std::uint64_t>(mean_ns)), ShowNs(min()),
                     ShowNs(Percentile(50)), ShowNs(Percentile(95)), ShowNs(Percentile(99)),
                     ShowNs(Percentile(99.9)), ShowNs(max_));
}

}  // namespace cirein
