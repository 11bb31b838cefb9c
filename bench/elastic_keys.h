// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/elastic_store.h"

namespace cirein::bench {

/// Small objects on tmpfs, durability=process, beside RocksDB on the same tmpfs and `local:`.
void MeasureKeys(const Places& places, Length length);
/// Needs with caches that hold all, a part, and nothing.
void MeasureCaches(const Places& places, Length length);

}  // namespace cirein::bench
