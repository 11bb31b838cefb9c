// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cirein/pool.h"

namespace cirein {

/// Connect for a URL that a person typed. Of several things that are wrong with it, a type nobody
/// knows is told first (NotFound): what else its URL needs is then anybody's guess.
Result<Pool> ConnectPool(std::string_view url);

}  // namespace cirein
