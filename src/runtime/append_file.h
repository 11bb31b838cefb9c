// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "cirein/status.h"

#include "runtime/file_descriptor.h"

namespace cirein {

/// A file that grows by whole lines: a log, a trace. What Append accepted is with the system, so it
/// survives the end of the process, and after Sync that of the machine. The first error sticks: it
/// is what every later call returns, so that no line in the middle is missing. Thread-safe; blocks.
class AppendFile {
 public:
  enum class Mode : std::uint8_t {
    kTruncate,  ///< Begin anew.
    kAppend,    ///< Keep what is there.
  };
  /// Makes the file if it is not there. Errors as in file.h.
  static Result<std::unique_ptr<AppendFile>> Open(const std::string& path, Mode mode);

  const std::string& path() const noexcept { return path_; }

  /// Adds `text`, whole lines, all of it or (on an error) none.
  Status Append(std::string_view text);
  /// Waits until all is on the medium.
  Status Sync();
  /// The error that stuck, or OK.
  Status status() const;

 private:
  AppendFile(std::string path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  const std::string path_;
  const FileDescriptor file_;
  mutable std::mutex mutex_;
  Status status_;
};

}  // namespace cirein
