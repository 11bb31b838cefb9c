// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "bench/pool_store.h"

namespace cirein::bench {

struct AppendPlan {
  std::chrono::milliseconds turn;
  int turns;
  std::uint64_t log_bytes;
};

/// Batches of objects through a pool, to the bare medium, through RocksDB and through LMDB, on
/// every medium and with several writers.
void MeasureAppends(const Media& media, const AppendPlan& plan);

}  // namespace cirein::bench
