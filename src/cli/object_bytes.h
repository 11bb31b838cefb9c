// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "cirein/data_object.h"

#include "cli/console.h"

/// The bytes of objects, in and out of the command.
namespace cirein {

/// Where data comes from: a text, or a file ("-": standard input).
struct DataSource {
  std::optional<std::string> text;
  std::string file = "-";
};

/// What an object is besides its data, and how much data it may have.
struct ObjectShape {
  std::string meta;
  std::uint16_t type = 0;
  std::uint64_t limit_bytes = 0;
};

/// An object of what `source` holds; an ordinary file is read straight into it. Blocks. Errors
/// name the file: ResourceExhausted beyond the limit, before an ordinary file is read; those of
/// reading and of DataObject::Allocate.
Result<DataObject> ReadObject(const DataSource& source, const ObjectShape& shape, Console& console);

/// Puts the bytes on standard output, or into `file` as WriteFileAtomically does. Blocks. Errors:
/// InvalidArgument for a file that is there and no ordinary one, which must not be replaced;
/// those of writing.
Status WriteBytes(std::span<const std::byte> bytes, const std::optional<std::string>& file,
                  Console& console);

}  // namespace cirein
