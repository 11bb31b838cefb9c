// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/pool_store.h"

namespace cirein::bench {

/// How long it takes to open a pool of so many keys that was left without a close.
void MeasureOpens(const Media& media, std::uint64_t max_keys, int turns);
/// Bytes of log and of index for each key.
void MeasureSizes(const Media& media, std::uint64_t keys);

}  // namespace cirein::bench
