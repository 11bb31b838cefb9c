// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cirein/status.h"

/// The log of the process: lines on standard error. Everything here is thread-safe. A line that is
/// below the level costs one relaxed load; its message is not built.
///
///   LogWarn("pool", "{} did not answer", url);
///   LogWith(LogLevel::kInfo, "node", {{"slot", "17"}, {"epoch", "4"}}, "moved");
///
/// The component is the folder or the service that speaks. Names and keys that users chose go
/// through EscapeForPeople; a line break in a message cannot forge a line in any case.
namespace cirein {

enum class LogLevel : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kOff };

/// "warn" and so on, as in the setting log.level.
std::string_view LogLevelName(LogLevel level);
/// Errors: InvalidArgument for a name that is not a level.
Result<LogLevel> ParseLogLevel(std::string_view name);

enum class LogFormat : std::uint8_t {
  kText,  ///< "2026-11-21 04:25:02.123 warn pool: message name=value".
  kJson,  ///< One object a line: time (UTC), level, component, message, fields.
};
/// "text" or "json", as in the setting log.format. Errors: InvalidArgument.
Result<LogFormat> ParseLogFormat(std::string_view name);

/// The least level that is written; kWarn until it is set.
void SetLogLevel(LogLevel level);
LogLevel CurrentLogLevel() noexcept;
/// kText until it is set.
void SetLogFormat(LogFormat format);

struct LogField {
  std::string name;
  std::string value;
};
using LogFields = std::vector<LogField>;

struct LogRecord {
  LogLevel level = LogLevel::kInfo;
  std::string component;
  std::string message;
  LogFields fields;
};

/// The record as a line without time and line break, as standard error would show it. In JSON it is
/// the part of the object behind the time, with its closing brace.
std::string LogLine(const LogRecord& record, LogFormat format);

/// While it lives, keeps the lines at `level` and above to itself instead of writing them: for
/// tests. Captures nest like scopes; the innermost gets the lines, and the level is put back at the
/// end.
class LogCapture {
 public:
  explicit LogCapture(LogLevel level = LogLevel::kTrace);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::vector<LogRecord> records() const;
  /// Does any message contain the text?
  bool Contains(std::string_view text) const;

 private:
  friend void LogRecordNow(LogRecord record);
  struct Lines;
  std::shared_ptr<Lines> lines_;
  std::shared_ptr<Lines> before_;
  LogLevel level_before_;
};

namespace internal {
extern std::atomic<LogLevel> log_level;
}  // namespace internal

inline bool LogEnabled(LogLevel level) noexcept {
  return level >= internal::log_level.load(std::memory_order_relaxed) && level != LogLevel::kOff;
}

/// Writes the record whatever the level. May block on standard error.
void LogRecordNow(LogRecord record);

template <typename... Args>
void LogWith(LogLevel level, std::string_view component, LogFields fields,
             fmt::format_string<Args...> format, Args&&... args) {
  if (!LogEnabled(level)) return;
  LogRecordNow({level, std::string(component), fmt::format(format, std::forward<Args>(args)...),
                std::move(fields)});
}

template <typename... Args>
void Log(LogLevel level, std::string_view component, fmt::format_string<Args...> format,
         Args&&... args) {
  if (!LogEnabled(level)) return;
  LogRecordNow(
      {level, std::string(component), fmt::format(format, std::forward<Args>(args)...), {}});
}

template <typename... Args>
void LogTrace(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kTrace, component, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogDebug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kDebug, component, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogInfo(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kInfo, component, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogWarn(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kWarn, component, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogError(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kError, component, format, std::forward<Args>(args)...);
}

}  // namespace cirein
