// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "cirein/data_object.h"
#include "cirein/status.h"

namespace cirein {

/// Memory a registrar knows: the chunk an object lies in.
struct RegisteredMemory {
  std::uint64_t handle = 0;  ///< What the registrar gave; good as long as the object lives.
  const std::byte* base = nullptr;
  std::uint64_t bytes = 0;
};

/// Where the network finds an object. For lazy memory the first call for a chunk registers it,
/// which is slow; then and for eager memory it is a lookup. Thread-safe. Errors: FailedPrecondition
/// for an object outside a registered arena, such as wrapped memory and views; the registrar's own.
Result<RegisteredMemory> RegisterObject(const DataObject& object);

}  // namespace cirein
