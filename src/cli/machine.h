// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/file.h"

namespace cirein {

/// What the system tells about itself in /proc and /sys. A root other than "" is for tests: a
/// directory that holds a made-up /proc and /sys. Reads blocking; what is not there is nothing.
class Machine {
 public:
  explicit Machine(std::string root = "") : root_(std::move(root)) {}

  /// A small file's text without the blanks at its end.
  std::optional<std::string> Text(std::string_view path) const;
  /// Names in a directory; empty when there is none.
  std::vector<std::string> Names(std::string_view path) const;
  /// The number behind "name:" in a file of such lines, in bytes where it is in kB.
  std::optional<std::uint64_t> Field(std::string_view path, std::string_view name) const;
  /// The soft limit of that name in /proc/self/limits; UINT64_MAX when there is none.
  std::optional<std::uint64_t> Limit(std::string_view name) const;
  /// Does the processor have a feature of that name?
  bool HasCpuFeature(std::string_view name) const;

 private:
  std::string root_;
};

}  // namespace cirein
