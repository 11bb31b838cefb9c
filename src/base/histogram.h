// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cirein {

/// How often which value was seen: latencies in nanoseconds, or any other 64-bit numbers.
///
/// Buckets are log-linear: values below 256 have one each; above, every power of two is cut into
/// 128 equal ones, so a value is known to less than 1 % (1/128) whatever its size. Memory grows
/// with the largest value seen: 24 KiB for a second in nanoseconds, at most 58 KiB. Histograms of
/// many threads merge without loss.
///
/// Value type, not thread-safe: one for each thread, then Merge.
class Histogram {
 public:
  void Record(std::uint64_t value) { RecordMany(value, 1); }
  /// The value was seen `count` times.
  void RecordMany(std::uint64_t value, std::uint64_t count);
  void Merge(const Histogram& other);
  void Clear() { *this = Histogram(); }

  std::uint64_t count() const noexcept { return count_; }
  /// Exact; 0 when nothing was recorded.
  std::uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  std::uint64_t max() const noexcept { return max_; }
  /// Exact but for floating-point rounding; 0 when nothing was recorded.
  double mean() const noexcept;
  double sum() const noexcept { return sum_; }

  /// The least value that `percent` of the recorded ones do not exceed, at most 1/128 too large and
  /// never outside min() and max(). 0 gives min(), 100 max(); 0 when nothing was recorded.
  std::uint64_t Percentile(double percent) const;

  struct Bucket {
    std::uint64_t lowest = 0;   ///< The least value that falls into it.
    std::uint64_t highest = 0;  ///< The greatest.
    std::uint64_t count = 0;
  };
  /// Visits the buckets that hold something, from small to large values.
  void ForEachBucket(const std::function<void(const Bucket&)>& visit) const;

  /// For people, values taken as nanoseconds: "count 3 mean 1.50us min 1.00us p50 ... max 2.00us".
  std::string Summary() const;

 private:
  static std::size_t IndexOf(std::uint64_t value) noexcept;
  static std::uint64_t LowestOf(std::size_t index) noexcept;
  static std::uint64_t HighestOf(std::size_t index) noexcept;

  std::vector<std::uint64_t> counts_;  // Up to the bucket of the largest value.
  std::uint64_t count_ = 0;
  std::uint64_t min_ = 0;  // Meaningful when count_ is not 0.
  std::uint64_t max_ = 0;
  double sum_ = 0;  // A sum of nanoseconds could overflow 64 bits in a long run.
};

}  // namespace cirein
