// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cirein/backing_store.h"

#include "runtime/file.h"
#include "runtime/file_descriptor.h"

namespace cirein::backing {

/// What an answered write survives, by the option durability: power (the default), on the medium;
/// or process, with the system. InvalidArgument for anything else.
Result<FileKept> DurabilityOf(const BackingStoreContext& context);

/// The directory that a store is in, held until the descriptor is closed: memory goes before the
/// store, so two processes over one store would not see each other's writes. FailedPrecondition
/// when it is held already; NotFound when it is not there; errors of writing to it.
Result<FileDescriptor> TakeDirectory(const std::string& path);

}  // namespace cirein::backing
