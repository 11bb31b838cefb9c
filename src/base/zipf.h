// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/random.h"

namespace cirein {

/// Ranks 0 ... count-1 drawn with a probability in proportion to 1 / (rank + 1)^theta.
///
/// Exact for every count and theta, by rejection-inversion (Hörmann and Derflinger 1996): invert
/// the integral of the continuous curve, then reject the little that the steps do not cover. No sum
/// over all ranks is needed, so that a generator costs nothing to make and the count may grow while
/// it is used. YCSB's generator (Gray et al. 1994) is exact for the two first ranks only, off by up
/// to some ten percent for the next, and must sum over all ranks first.
///
/// Value type, not thread-safe.
class Zipf {
 public:
  static constexpr double kMaxTheta = 10.0;

  /// `count` at least 1; `theta` from 0 (even) to kMaxTheta.
  Zipf(std::uint64_t count, double theta);

  std::uint64_t Draw(Random* random) const;
  /// From now on there are `count` ranks, at least 1. Cheap.
  void SetCount(std::uint64_t count);
  std::uint64_t count() const noexcept { return count_; }

 private:
  double Weight(double rank) const;
  double Integral(double rank) const;
  double InverseIntegral(double area) const;

  double theta_;
  std::uint64_t count_ = 0;
  double first_area_;  // The area left of rank 1's own, beyond which nothing is drawn.
  double last_area_ = 0;
  double sure_distance_;  // This near to a rank from the left, a point needs no second look.
};

}  // namespace cirein
