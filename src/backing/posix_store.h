// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/backing_store.h"

namespace cirein::backing {

/// `posix:DIR`: a file per object, DIR/BUCKET/SHARD/NAME.obj, written beside its place and renamed
/// into it. Option: durability=power|process.
BackingStoreType PosixStoreType();

}  // namespace cirein::backing
