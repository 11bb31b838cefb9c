// SPDX-License-Identifier: Apache-2.0
#include "base/zipf.h"

#include <algorithm>
#include <cmath>

namespace cirein {
namespace {

// expm1(x) / x and log1p(x) / x, which are 1 at 0, where dividing would not do.
double ExpRatio(double x) { return std::fabs(x) > 1e-8 ? std::expm1(x) / x : 1 + x / 2; }
double LogRatio(double x) { return std::fabs(x) > 1e-8 ? std::log1p(x) / x : 1 - x / 2; }

}  // namespace

// Inside, ranks count from 1. Integral is that of Weight with Integral(1) = 0; it holds for
// theta = 1 too, where it is the logarithm.
Zipf::Zipf(std::uint64_t count, double theta)
    : theta_(theta),
      first_area_(Integral(1.5) - 1),
      sure_distance_(2 - InverseIntegral(Integral(2.5) - Weight(2))) {
  SetCount(count);
}

void Zipf::SetCount(std::uint64_t count) {
  count = std::max<std::uint64_t>(count, 1);
  if (count == count_) return;
  count_ = count;
  last_area_ = Integral(static_cast<double>(count) + 0.5);
}

std::uint64_t Zipf::Draw(Random* random) const {
  const auto most = static_cast<double>(count_);
  for (;;) {
    const double area = last_area_ + random->Double() * (first_area_ - last_area_);
    const double point = InverseIntegral(area);
    const double rank = std::clamp(std::floor(point + 0.5), 1.0, most);
    if (rank - point <= sure_distance_ || area >= Integral(rank + 0.5) - Weight(rank)) {
      return static_cast<std::uint64_t>(rank) - 1;
    }
  }
}

double Zipf::Weight(double rank) const { return std::exp(-theta_ * std::log(rank)); }

double Zipf::Integral(double rank) const {
  const double log_rank = std::log(rank);
  return ExpRatio((1 - theta_) * log_rank) * log_rank;
}

double Zipf::InverseIntegral(double area) const {
  const double scaled = std::max(area * (1 - theta_), -1.0);
  return std::exp(LogRatio(scaled) * area);
}

}  // namespace cirein
