// SPDX-License-Identifier: Apache-2.0
#include "runtime/append_file.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

#include "runtime/system_error.h"

namespace cirein {

Result<std::unique_ptr<AppendFile>> AppendFile::Open(const std::string& path, Mode mode) {
  const int flags =
      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (mode == Mode::kTruncate ? O_TRUNC : 0);
  FileDescriptor file(open(path.c_str(), flags, 0666));
  if (!file.is_open()) return FileError("open", path, errno);
  return std::unique_ptr<AppendFile>(new AppendFile(path, std::move(file)));
}

Status AppendFile::Append(std::string_view text) {
  const std::lock_guard lock(mutex_);
  CIREIN_RETURN_IF_ERROR(status_);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = write(file_.get(), text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      status_ = FileError("append to", path_, errno);
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  // Half a line would be read as damage later on: take it back.
  struct stat facts {};
  if (!status_.ok() && done > 0 && fstat(file_.get(), &facts) == 0) {
    [[maybe_unused]] const int ignored =
        ftruncate(file_.get(), facts.st_size - static_cast<off_t>(done));
  }
  return status_;
}

Status AppendFile::Sync() {
  const std::lock_guard lock(mutex_);
  CIREIN_RETURN_IF_ERROR(status_);
  // Pipes and terminals cannot be synced, and say EINVAL or EROFS; they have no medium.
  if (fdatasync(file_.get()) != 0 && errno != EINVAL && errno != EROFS) {
    status_ = FileError("sync", path_, errno);
  }
  return status_;
}

Status AppendFile::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace cirein
