// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "cirein/pool_backend.h"

namespace cirein {

/// The pool type of that name; NotFound with the nearest name. Thread-safe.
Result<PoolType> FindPoolType(std::string_view name);

/// InvalidArgument for an option of the URL that the type does not take, with the nearest name.
Status CheckPoolOptions(const ResourceUrl& url, const PoolType& type);

}  // namespace cirein
