// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/scatter.h"
#include "base/zipf.h"

namespace cirein {

/// Which keys a workload asks for.
enum class Distribution : std::uint8_t {
  kZipf,     ///< A few are hot; which ones is scattered over all that were there at the start.
  kUniform,  ///< All alike, also those inserted meanwhile.
  kLatest,   ///< The newer the hotter.
};

/// Draws keys. Not thread-safe: one for each thread.
class KeyChooser {
 public:
  /// `keys` are there at the start, at least 1; `theta` as in Zipf.
  KeyChooser(Distribution distribution, std::uint64_t keys, double theta)
      : distribution_(distribution), zipf_(keys, theta), scatter_(keys) {}

  /// One of the keys 0 ... present-1, where `present` is at least the number at the start.
  std::uint64_t Choose(std::uint64_t present, Random* random);

 private:
  const Distribution distribution_;
  Zipf zipf_;
  const Scatter scatter_;
};

}  // namespace cirein
