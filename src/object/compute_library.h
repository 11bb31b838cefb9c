// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cirein/compute_library.h"
#include "cirein/status.h"

namespace cirein {

/// Loads the libraries that the setting compute.libraries names, paths parted by ':', and makes
/// their functions known, all of a library or none. One that was loaded before is not loaded again.
/// Errors name the library: FailedPrecondition (cannot be loaded, exports no
/// cirein_compute_library, is of another version), InvalidArgument (what it exports makes no
/// sense), AlreadyExists (a name is taken). Thread-safe; blocks.
Status LoadComputeLibraries(std::string_view paths);

/// Makes the functions of a table known, all or none. Errors as above. For tests, too.
Status RegisterComputeTable(const cirein_compute_table* table);

}  // namespace cirein
