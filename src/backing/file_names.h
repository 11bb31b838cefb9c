// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cirein/key.h"

/// Names of objects and rows, any bytes, as names of files.
namespace cirein::backing {

/// Percent-encoded; of one that is too long the beginning, '=' and 128 bits of hash. Two names have
/// two file names (but for the hash). At most 180 bytes of letters, digits and "-._~%=".
std::string FileNameOf(std::string_view name);
/// The same of row and column, which a '+' parts.
std::string FileNameOf(const Key& key);

/// Does the file name of what begins with `prefix` begin so? May say yes where it does not.
bool MayBeginWith(std::string_view file_name, std::string_view prefix);

/// One of 256 directories, "00" to "ff", that the rows are spread over.
std::string ShardOf(std::string_view row);

}  // namespace cirein::backing
