// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "cirein/status.h"

namespace cirein {

/// A new directory, removed at the end with all that is in it. Move-only.
class TemporaryDirectory {
 public:
  /// Below $TMPDIR, or else /tmp; only the user can enter it. Errors as in file.h.
  static Result<TemporaryDirectory> Create(std::string_view prefix = "cirein");

  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept;
  ~TemporaryDirectory();

  const std::string& path() const noexcept { return path_; }
  /// The path of `name` in it.
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;  // Empty when moved from.
};

}  // namespace cirein
