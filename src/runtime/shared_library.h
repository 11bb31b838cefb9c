// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cirein/status.h"

namespace cirein {

/// A shared library that was loaded into the process, where it stays: its functions may be running
/// when the process ends. Value type; the same library has an equal value however it is named.
class SharedLibrary {
 public:
  /// Loads it, unless it is; runs what the library does at its start. A path without '/' is looked
  /// for as the system does. FailedPrecondition with the loader's words. Blocks.
  static Result<SharedLibrary> Load(const std::string& path);

  /// Where a name that it exports is; null when it does not.
  void* Find(const char* name) const;

  friend auto operator<=>(const SharedLibrary&, const SharedLibrary&) = default;

 private:
  explicit SharedLibrary(void* handle) : handle_(handle) {}
  void* handle_;
};

}  // namespace cirein
