// SPDX-License-Identifier: Apache-2.0
#include "backing/backing_stores.h"

#include "cirein/backing_store.h"

#include "backing/hdf5_store.h"
#include "backing/posix_store.h"
#include "backing/rocksdb_store.h"

namespace cirein::backing {
namespace {

bool Register() {
  // To add a built-in store: its class beside its twins, and a line here.
  for (const BackingStoreType& type : {PosixStoreType(), RocksdbStoreType(), Hdf5StoreType()}) {
    // Names of our own: only a program that took one before could be in the way, and then has it.
    (void)RegisterBackingStoreType(type);
  }
  return true;
}

// Pools, which are below, find them by name alone.
[[maybe_unused]] const bool registered_when_loaded = (RegisterBackingStores(), true);

}  // namespace

void RegisterBackingStores() { [[maybe_unused]] static const bool registered = Register(); }

}  // namespace cirein::backing
