// SPDX-License-Identifier: Apache-2.0
#include "runtime/temporary_directory.h"

#include <cerrno>
#include <filesystem>
#include <stdlib.h>
#include <system_error>

#include "base/logging.h"
#include "runtime/system_error.h"

namespace cirein {

Result<TemporaryDirectory> TemporaryDirectory::Create(std::string_view prefix) {
  const char* const configured = getenv("TMPDIR");
  std::string path = configured != nullptr && *configured != '\0' ? configured : "/tmp";
  path += "/" + std::string(prefix) + "-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return FileError("make temporary directory", path, errno);
  return TemporaryDirectory(std::move(path));
}

TemporaryDirectory& TemporaryDirectory::operator=(TemporaryDirectory&& other) noexcept {
  std::swap(path_, other.path_);  // What this one had goes with the other.
  return *this;
}

TemporaryDirectory::~TemporaryDirectory() {
  if (path_.empty()) return;
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) {
    LogWarn("runtime", "cannot remove temporary directory '{}': {}", path_, error.message());
  }
}

}  // namespace cirein
