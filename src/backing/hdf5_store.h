// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/backing_store.h"

namespace cirein::backing {

/// `hdf5:DIR`: an HDF5 file for each row, DIR/BUCKET/SHARD/ROW.h5, which other programs can read: a
/// dataset of bytes for each object, named by its column ("@" for the object without one). A file
/// is written as a whole beside its place and renamed into it, so several objects of a row are
/// written as one, best at once. Option: durability=power|process. In a build without HDF5 it opens
/// none, and says so.
BackingStoreType Hdf5StoreType();

}  // namespace cirein::backing
