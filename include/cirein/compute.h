// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/operations.h"

namespace cirein {

/// Longer arguments are refused (InvalidArgument): publish them as an object of the row instead.
inline constexpr std::size_t kMaxComputeArgsBytes = std::size_t{1} << 20;

/// What a compute function sees: the objects of one row that matched, sorted by column (the object
/// without column first), never empty.
struct ComputeInput {
  const Pattern& pattern;
  std::string_view args;
  std::span<const NamedObject> objects;
};

/// Runs at the owner of the row, on a compute thread. Its error reaches the caller as it is; an
/// exception does as Aborted. The result goes to the caller and is not stored.
using ComputeFunction = std::function<Result<DataObject>(const ComputeInput&)>;

/// Makes `function` known in this process as `name` (letters, digits, '_', '-', '.', up to 64).
/// AlreadyExists when the name is taken. Thread-safe; may be called before Start and at any time.
///
/// Built in: pick (args first, last, smallest, largest; default first), concat (args between two
/// objects; at most 1 GiB in all), count, size, and
/// sum, min, max over numeric arrays (args: i32, i64, u32, u64, f32, f64; default f64).
Status RegisterComputeFunction(std::string name, ComputeFunction function);

/// Sorted names of the functions that are known.
std::vector<std::string> ComputeFunctionNames();

}  // namespace cirein
