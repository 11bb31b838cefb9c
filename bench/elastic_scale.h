// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/elastic_store.h"

namespace cirein::bench {

void PrintScaleHead();
/// One row: throughput and memory for each key with so many keys. In a process of its own, or what
/// others left in the allocator counts too.
void MeasureScale(const Places& places, std::uint64_t keys);

}  // namespace cirein::bench
