// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/pool_backend.h"

namespace cirein {

/// `null:` accepts and forgets: every call is answered at once. A Need or Want gets an empty
/// object, an Info an empty one, a List nothing, a Drop nothing, a Compute NotFound. What is left
/// of a call is what the library itself costs.
PoolType NullPoolType();

}  // namespace cirein
