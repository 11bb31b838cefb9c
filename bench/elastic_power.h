// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/elastic_store.h"

namespace cirein::bench {

/// Many writers of small objects on disk, each answered when its object would survive a power cut,
/// beside RocksDB and LMDB.
void MeasurePower(const Places& places, Length length);

}  // namespace cirein::bench
