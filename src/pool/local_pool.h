// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/pool_backend.h"

namespace cirein {

/// `local:` keeps objects in this process; all `local:` pools of one bucket share them. Options:
/// keep=N (a row keeps its N newest columns), max_age=DURATION (objects go that long after their
/// publish, sooner if their ttl says so); store=TYPE:PATH, a store behind it (pool_backing.h).
PoolType LocalPoolType();

}  // namespace cirein
