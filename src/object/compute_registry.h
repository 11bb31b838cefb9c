// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cirein/compute.h"

namespace cirein {

using NamedComputeFunction = std::pair<std::string, ComputeFunction>;

/// Makes all of them known or none; otherwise as RegisterComputeFunction.
Status RegisterComputeFunctions(std::vector<NamedComputeFunction> functions);

/// The function registered under a name, shared so that it outlives a change of the table; NotFound
/// with the nearest name. Thread-safe.
Result<std::shared_ptr<const ComputeFunction>> FindComputeFunction(std::string_view name);

/// Runs a function over its input and makes an exception or a missing result an error that names
/// the function. On the calling thread.
Result<DataObject> RunComputeFunction(std::string_view name, const ComputeFunction& function,
                                      const ComputeInput& input);

}  // namespace cirein
