// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/backing_store.h"

namespace cirein::backing {

/// `rocksdb:DIR`: a RocksDB database. Writes several objects as one. Option:
/// durability=power|process. In a build without RocksDB it opens none, and says so.
BackingStoreType RocksdbStoreType();

}  // namespace cirein::backing
