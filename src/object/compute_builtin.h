// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cirein/compute.h"

namespace cirein {

/// The functions every process knows, with their names; compute.h says what they do.
std::vector<std::pair<std::string, ComputeFunction>> BuiltInComputeFunctions();

}  // namespace cirein
