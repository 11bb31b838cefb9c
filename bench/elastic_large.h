// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/elastic_store.h"

namespace cirein::bench {

/// Publish and need of large objects in a pool on tmpfs, beside a memcpy into the same memory.
void MeasureLarge(const Places& places, Length length);

}  // namespace cirein::bench
