// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "cirein/status.h"

#include "runtime/file_descriptor.h"

namespace cirein {

/// An ordinary file, open for reading: what is read through one is of one file, also when another
/// is renamed over its path meanwhile. Move-only; const calls may run concurrently.
class InputFile {
 public:
  /// Blocks. InvalidArgument for what is no ordinary file; errors as in file.h.
  static Result<InputFile> Open(const std::string& path);

  /// The size it had when it was opened.
  std::uint64_t bytes() const noexcept { return bytes_; }
  /// Fills `into` with the bytes that begin at `offset`. Blocks. DataLoss when the file ends
  /// before.
  Status ReadAt(std::uint64_t offset, std::span<std::byte> into) const;

 private:
  InputFile(std::string path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  FileDescriptor file_;
  std::uint64_t bytes_ = 0;
};

}  // namespace cirein
