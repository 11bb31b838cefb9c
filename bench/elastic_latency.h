// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/elastic_store.h"

namespace cirein::bench {

/// Latencies of one writer and one reader while merger and cleaner work, beside RocksDB.
void MeasureLatency(const Places& places, Length length);

}  // namespace cirein::bench
