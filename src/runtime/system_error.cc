// SPDX-License-Identifier: Apache-2.0
#include "runtime/system_error.h"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {
namespace {

struct Verdict {
  StatusCode code;
  std::string_view hint;
};

Verdict Judge(int error) {
  switch (error) {
    case ENOENT:
      return {StatusCode::kNotFound,
              "check the path; a relative one starts at the directory where "
              "the program was started"};
    case EEXIST:
      return {StatusCode::kAlreadyExists, "choose another name, or remove what is there"};
    case EACCES:
    case EPERM:
      return {StatusCode::kPermissionDenied,
              "check the owner and mode of the file and of each directory above it (ls -ld)"};
    case EROFS:
      return {StatusCode::kPermissionDenied,
              "the file system is mounted read-only: choose a path on another one"};
    case ENOSPC:
      return {StatusCode::kIoError,
              "free space on the file system (df -h, and df -i for inodes), or choose another one"};
    case EDQUOT:
      return {StatusCode::kIoError, "your quota on the file system is used up (quota -s)"};
    case EFBIG:
      return {StatusCode::kIoError,
              "the file system or the process limits the size of files (ulimit -f)"};
    case EMFILE:
    case ENFILE:
      return {StatusCode::kIoError, "raise the limit on open files (ulimit -n)"};
    case EISDIR:
      return {StatusCode::kIoError, "name a file in that directory, not the directory"};
    case ENOTDIR:
      return {StatusCode::kIoError, "a part of the path is a file where a directory is needed"};
    case ENAMETOOLONG:
      return {StatusCode::kIoError, "use a shorter name: at most 255 bytes between slashes"};
    case ELOOP:
      return {StatusCode::kIoError, "symbolic links lead round in a circle (namei -l)"};
    default:
      return {StatusCode::kIoError, "look for errors of the device in the kernel's log (dmesg)"};
  }
}

}  // namespace

std::string SystemErrorText(int error) { return std::generic_category().message(error); }

Status FileError(std::string_view action, const std::string& path, int error) {
  const Verdict verdict = Judge(error);
  return Status(verdict.code,
                fmt::format("cannot {} '{}': {}", action, EscapeForPeople(path, 4096),
                            SystemErrorText(error)),
                std::string(verdict.hint));
}

}  // namespace cirein
