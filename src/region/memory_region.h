// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cirein/status.h"

#include "region/region.h"

namespace cirein {

/// Memory that may be mapped by other processes, which get its descriptor: zeros at first, all of
/// it there, and sealed, so that it never gets shorter under anybody. It is on no medium: Persist
/// has nothing to wait for, and it goes with the last who maps it. ResourceExhausted, IoError.
Result<std::unique_ptr<Region>> MakeMemoryRegion(std::string name, std::uint64_t bytes);

}  // namespace cirein
