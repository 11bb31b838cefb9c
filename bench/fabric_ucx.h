// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "bench/fabric_carrier.h"

namespace cirein::bench {

/// UCX over POSIX shared memory: active messages, and get, put and compare-and-swap on memory that
/// it has allocated. Null when the benchmark was built without it.
std::unique_ptr<Carrier> MakeUcx();

}  // namespace cirein::bench
