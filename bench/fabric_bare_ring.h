// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "bench/fabric_carrier.h"

namespace cirein::bench {

/// The simplest thing that is correct, to which all others are compared: two rings of fixed slots
/// in shared memory, each with one writer and one reader that believe each other.
std::unique_ptr<Carrier> MakeBareRing();

/// The bound of one-sided operations: memcpy within one process.
std::unique_ptr<Carrier> MakeMemoryCopy();

}  // namespace cirein::bench
