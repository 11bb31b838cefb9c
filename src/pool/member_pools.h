// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/pool_backend.h"

namespace cirein {

/// Pools over a fixed list of members, which differ in who owns a row: `dht:` by the row's hash,
/// `rft:` by the caller's rank, `tft:` by the tag that ends the row's name ("{0x..}"), by the hash
/// where there is none.
PoolType DhtPoolType();
PoolType RftPoolType();
PoolType TftPoolType();

}  // namespace cirein
