// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/pool_store.h"

namespace cirein::bench {

struct CleaningPlan {
  std::uint64_t log_bytes;
  double rounds;  ///< So many times the log's size is overwritten.
};

/// How much the cleaner writes for what a user overwrites, in pools that are more and more full.
void MeasureCleaning(const Media& media, const CleaningPlan& plan);

}  // namespace cirein::bench
