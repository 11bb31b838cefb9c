// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cirein/compute.h"

namespace cirein {

/// The function registered under a name, shared so that it outlives a change of the table; NotFound
/// with the nearest name. Thread-safe.
Result<std::shared_ptr<const ComputeFunction>> FindComputeFunction(std::string_view name);

/// Runs a function over its input and makes an exception or a missing result an error that names
/// the function. On the calling thread.
Result<DataObject> RunComputeFunction(std::string_view name, const ComputeFunction& function,
                                      const ComputeInput& input);

}  // namespace cirein
