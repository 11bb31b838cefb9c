// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/pool_backend.h"

namespace cirein {

/// `elastic:DIR`, embedded: a compute node of this process alone over the pool of disaggregated
/// memory in a directory, which is made when there is none. Objects outlive the process. Options,
/// besides those of `local:`:
///   durability=process|power  What an answered write survives; of a new pool, and checked of one
///                             that is there.
///   size=SIZE                 Of a new pool's log (default 1GiB); large objects may take as much
///                             again.
///   create=no                 Fail when there is no pool.
///   cache=SIZE, shards=N      Of the node; of the connection that opens the pool first.
PoolType ElasticPoolType();

}  // namespace cirein
