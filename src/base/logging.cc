// SPDX-License-Identifier: Apache-2.0
#include "base/logging.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <mutex>
#include <span>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/suggest.h"
#include "base/text.h"

namespace cirein {
namespace {

// In the order of LogLevel.
constexpr std::array<std::string_view, 6> kLevelNames{"trace", "debug", "info",
                                                      "warn",  "error", "off"};
// In the order of LogFormat.
constexpr std::array<std::string_view, 2> kFormatNames{"text", "json"};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  constexpr std::array<spdlog::level::level_enum, 6> kLevels{
      spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
      spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};
  return kLevels[static_cast<std::size_t>(level)];
}

Status RefuseName(std::string_view what, std::string_view name,
                  std::span<const std::string_view> names) {
  return InvalidArgument(
      fmt::format("{} is no {}", QuoteForPeople(name), what),
      DidYouMean(name, names, fmt::format("it is one of {}", fmt::join(names, ", "))));
}

// A line break or another control character shall not begin a line of its own or drive a terminal.
std::string OneLine(std::string_view text) {
  std::string out;
  for (const char& c : text) {
    if (IsControlByte(c)) {
      out += EscapeForPeople(std::string_view(&c, 1));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string TextLine(const LogRecord& record) {
  std::string line = fmt::format("{} {}: {}", LogLevelName(record.level), record.component,
                                 OneLine(record.message));
  for (const LogField& field : record.fields) {
    const bool plain =
        !field.value.empty() && field.value.find_first_of(" \"=") == std::string::npos;
    line += fmt::format(" {}={}", OneLine(field.name),
                        plain ? OneLine(field.value) : JsonString(field.value));
  }
  return line;
}

std::string JsonLine(const LogRecord& record) {
  std::string line = fmt::format("\"level\":{},\"component\":{},\"message\":{}",
                                 JsonString(LogLevelName(record.level)),
                                 JsonString(record.component), JsonString(record.message));
  if (!record.fields.empty()) {
    line += ",\"fields\":{";
    for (std::size_t i = 0; i < record.fields.size(); ++i) {
      const LogField& field = record.fields[i];
      line += fmt::format("{}{}:{}", i == 0 ? "" : ",", JsonString(field.name),
                          JsonString(field.value));
    }
    line += "}";
  }
  return line + "}";
}

// The sink of the process. A logger of our own, not registered with spdlog, so that a program which
// uses spdlog itself keeps its settings. It is never destroyed: threads may log to the very end.
class Output {
 public:
  Output() : logger_("cirein", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_level(spdlog::level::trace);
    SetFormat(LogFormat::kText);
  }

  void SetFormat(LogFormat format) {
    const std::lock_guard lock(mutex_);
    format_ = format;
    if (format == LogFormat::kText) {
      logger_.set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%d %H:%M:%S.%e %v"));
    } else {
      logger_.set_formatter(std::make_unique<spdlog::pattern_formatter>(
          "{\"time\":\"%Y-%m-%dT%H:%M:%S.%fZ\",%v", spdlog::pattern_time_type::utc));
    }
  }

  // The lock keeps a line of one format from going out with the frame of the other.
  void Write(const LogRecord& record) {
    const std::lock_guard lock(mutex_);
    logger_.log(ToSpdlog(record.level), "{}", LogLine(record, format_));
  }

 private:
  std::mutex mutex_;
  LogFormat format_ = LogFormat::kText;
  spdlog::logger logger_;
};

Output& TheOutput() {
  static auto* const output = new Output();
  return *output;
}

}  // namespace

namespace internal {
std::atomic<LogLevel> log_level{LogLevel::kWarn};
}  // namespace internal

struct LogCapture::Lines {
  std::mutex mutex;
  std::vector<LogRecord> records;  // Guarded by mutex.

  static std::mutex innermost_mutex;
  static std::shared_ptr<Lines> innermost;  // Guarded by innermost_mutex; null: standard error.
};
std::mutex LogCapture::Lines::innermost_mutex;
std::shared_ptr<LogCapture::Lines> LogCapture::Lines::innermost;

std::string_view LogLevelName(LogLevel level) {
  return kLevelNames[std::min(static_cast<std::size_t>(level), kLevelNames.size() - 1)];
}

Result<LogLevel> ParseLogLevel(std::string_view name) {
  const auto* const found = std::find(kLevelNames.begin(), kLevelNames.end(), name);
  if (found == kLevelNames.end()) return RefuseName("log level", name, kLevelNames);
  return static_cast<LogLevel>(found - kLevelNames.begin());
}

Result<LogFormat> ParseLogFormat(std::string_view name) {
  const auto* const found = std::find(kFormatNames.begin(), kFormatNames.end(), name);
  if (found == kFormatNames.end()) return RefuseName("log format", name, kFormatNames);
  return static_cast<LogFormat>(found - kFormatNames.begin());
}

void SetLogLevel(LogLevel level) { internal::log_level.store(level, std::memory_order_relaxed); }

LogLevel CurrentLogLevel() noexcept { return internal::log_level.load(std::memory_order_relaxed); }

void SetLogFormat(LogFormat format) { TheOutput().SetFormat(format); }

std::string LogLine(const LogRecord& record, LogFormat format) {
  return format == LogFormat::kText ? TextLine(record) : JsonLine(record);
}

void LogRecordNow(LogRecord record) {
  std::shared_ptr<LogCapture::Lines> lines;
  {
    const std::lock_guard lock(LogCapture::Lines::innermost_mutex);
    lines = LogCapture::Lines::innermost;
  }
  if (lines == nullptr) {
    TheOutput().Write(record);
    return;
  }
  const std::lock_guard lock(lines->mutex);
  lines->records.push_back(std::move(record));
}

LogCapture::LogCapture(LogLevel level)
    : lines_(std::make_shared<Lines>()), level_before_(CurrentLogLevel()) {
  const std::lock_guard lock(Lines::innermost_mutex);
  before_ = std::exchange(Lines::innermost, lines_);
  SetLogLevel(level);
}

LogCapture::~LogCapture() {
  const std::lock_guard lock(Lines::innermost_mutex);
  Lines::innermost = before_;
  SetLogLevel(level_before_);
}

std::vector<LogRecord> LogCapture::records() const {
  const std::lock_guard lock(lines_->mutex);
  return lines_->records;
}

bool LogCapture::Contains(std::string_view text) const {
  const std::lock_guard lock(lines_->mutex);
  return std::any_of(
      lines_->records.begin(), lines_->records.end(),
      [text](const LogRecord& record) { return record.message.find(text) != std::string::npos; });
}

}  // namespace cirein
