// SPDX-License-Identifier: Apache-2.0
#include "runtime/user_directory.h"

#include <cerrno>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

#include "runtime/system_error.h"

namespace cirein {

Result<std::string> UserDirectory(std::string_view prefix) {
  // Not $TMPDIR, which processes that are to meet here need not have in common.
  std::string path = fmt::format("/tmp/{}-{}", prefix, geteuid());
  if (mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return FileError("make directory", path, errno);
  }
  struct stat found = {};
  if (lstat(path.c_str(), &found) != 0) return FileError("look at", path, errno);
  if (!S_ISDIR(found.st_mode) || found.st_uid != geteuid() ||
      (found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return PermissionDenied(fmt::format("'{}' is not a directory of this user alone", path),
                            "remove it, or have whoever made it do so");
  }
  return path;
}

}  // namespace cirein
