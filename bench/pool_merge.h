// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/pool_store.h"

namespace cirein::bench {

/// Objects a second of one writer, and of the merger that has only its log to read.
void MeasureMerge(const Media& media, std::uint64_t max_keys, int turns);

}  // namespace cirein::bench
