// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/backing_store.h"

#include "runtime/file.h"

namespace cirein::backing {

/// What an answered write survives, by the option durability: power (the default), on the medium;
/// or process, with the system. InvalidArgument for anything else.
Result<FileKept> DurabilityOf(const BackingStoreContext& context);

/// The directory a store is in: there, and open to writing. Errors say so.
Status CheckDirectory(const std::string& path);

}  // namespace cirein::backing
