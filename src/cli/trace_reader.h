// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "pool/trace_record.h"

namespace cirein {

/// A trace file, checked as a whole before any of it is used. Records are made from their lines
/// anew each time, so that memory is the file's size.
class TraceReader {
 public:
  /// A larger file is refused.
  static constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;
  /// More errors than these are counted, not told.
  static constexpr std::size_t kMaxErrors = 10;

  /// Reads and checks a file; blocks. Errors: those of ReadFile; InvalidArgument for one without
  /// the trace's header or with bad lines, each told as "file:line: what is wrong".
  static Result<TraceReader> Open(const std::string& path);
  /// The same of a text; `name` stands for the file in errors.
  static Result<TraceReader> FromText(std::string text, const std::string& name);

  std::uint64_t count() const noexcept { return count_; }
  /// When it began to be recorded, since 1970; nullopt where it does not say so.
  std::optional<std::chrono::nanoseconds> began() const noexcept { return began_; }
  /// Calls `visit` for each record, in order, until it returns an error, which is returned.
  Status ForEach(const std::function<Status(const TraceRecord&)>& visit) const;

 private:
  explicit TraceReader(std::string text) : text_(std::move(text)) {}

  std::string text_;
  std::uint64_t count_ = 0;
  std::optional<std::chrono::nanoseconds> began_;
};

}  // namespace cirein
