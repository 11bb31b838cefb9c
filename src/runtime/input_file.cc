// SPDX-License-Identifier: Apache-2.0
#include "runtime/input_file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/text.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

// The most that Linux moves in one call, a little rounded down.
constexpr std::size_t kMaxTransferBytes = std::size_t{1} << 30;
constexpr std::size_t kShownPathBytes = 4096;

}  // namespace

Result<InputFile> InputFile::Open(const std::string& path) {
  // Opening a pipe that nobody writes to would otherwise wait; ordinary files do not care.
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  int fd = open(path.c_str(), kFlags);
  while (fd < 0 && errno == EINTR) fd = open(path.c_str(), kFlags);
  if (fd < 0) return FileError("open", path, errno);
  InputFile file(path, FileDescriptor(fd));
  struct stat facts {};
  if (fstat(fd, &facts) != 0) return FileError("look at", path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return InvalidArgument(
        fmt::format("'{}' is not an ordinary file", EscapeForPeople(path, kShownPathBytes)),
        "name a file with contents of its own");
  }
  file.bytes_ = static_cast<std::uint64_t>(facts.st_size);
  return file;
}

Status InputFile::ReadAt(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t count = pread(file_.get(), into.data(), std::min(into.size(), kMaxTransferBytes),
                                static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError("read", path_, errno);
    if (count == 0) {
      return DataLoss(fmt::format("'{}' ends at byte {}, where {} more were to be read",
                                  EscapeForPeople(path_, kShownPathBytes), offset, into.size()),
                      "the file was cut short; restore it or write it anew");
    }
    offset += static_cast<std::uint64_t>(count);
    into = into.subspan(static_cast<std::size_t>(count));
  }
  return OkStatus();
}

}  // namespace cirein
