// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_replies.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace cirein::bench::resp {
namespace {

// A server's lines are short; whatever is longer is none.
constexpr std::size_t kMaxLineBytes = 4096;
constexpr std::uint64_t kMaxPayloadBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 20;
constexpr std::uint64_t kMaxOpen = std::uint64_t{1} << 24;

/// -1 or a number up to `max`.
std::optional<std::int64_t> Count(std::string_view text, std::uint64_t max) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc() || stop != end || number < -1) return std::nullopt;
  if (number >= 0 && static_cast<std::uint64_t>(number) > max) return std::nullopt;
  return number;
}

}  // namespace

bool ReplyCounter::Fail(std::string_view what, std::string_view line) {
  error_ = fmt::format("{}: {}", what, line.substr(0, 200));
  return false;
}

bool ReplyCounter::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (skip_ > 0) {
      const std::size_t size = std::min<std::uint64_t>(skip_, bytes.size());
      SkipPayload(bytes.substr(0, size));
      bytes.remove_prefix(size);
      if (skip_ == 0 && expected_.protocol != Protocol::kMemcached) ElementEnds();
      continue;
    }
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos || !line_.empty()) {
      line_ += bytes.substr(0, end == std::string_view::npos ? end : end + 1);
      if (line_.size() > kMaxLineBytes) return Fail("a line without an end", line_);
      if (end == std::string_view::npos) return true;
      if (!Line(std::string_view(line_).substr(0, line_.size() - 1))) return false;
      line_.clear();
    } else if (!Line(bytes.substr(0, end))) {
      return false;
    }
    bytes.remove_prefix(end + 1);
  }
  return true;
}

void ReplyCounter::SkipPayload(std::string_view bytes) {
  if (keeping_) {
    // The last two bytes are the payload's end and not of the value.
    const std::uint64_t of_value = skip_ > 2 ? skip_ - 2 : 0;
    const std::size_t wanted = std::min<std::uint64_t>(of_value, kKeptBytes - kept_.size());
    kept_ += bytes.substr(0, wanted);
  }
  skip_ -= bytes.size();
  if (skip_ == 0 || kept_.size() == kKeptBytes) keeping_ = false;
}

bool ReplyCounter::Line(std::string_view line) {
  if (line.size() < 2 || line.back() != '\r') return Fail("this is no reply", line);
  line.remove_suffix(1);
  return expected_.protocol == Protocol::kMemcached ? MemcachedLine(line) : RespLine(line);
}

bool ReplyCounter::RespLine(std::string_view line) {
  const char type = line.front();
  const std::string_view rest = line.substr(1);
  if (open_ == 0) {
    open_ = 1;
    pushed_ = type == '>';
  }
  switch (type) {
    case '+':
    case ':':
    case ',':
    case '#':
    case '(':
      ElementEnds();
      return true;
    case '_':
      Missing();
      return true;
    case '$':
    case '=':
      return RespPayload(rest);
    case '*':
    case '~':
    case '>':
    case '%':
      return RespAggregate(type, rest);
    case '-':
    case '!':
      return Fail("the server answers with an error", rest);
    default:
      return Fail("this is no reply", line);
  }
}

bool ReplyCounter::RespPayload(std::string_view length) {
  const std::optional<std::int64_t> bytes = Count(length, kMaxPayloadBytes);
  if (!bytes) return Fail("this is no length", length);
  if (*bytes >= 0) return Payload(static_cast<std::uint64_t>(*bytes));
  Missing();
  return true;
}

bool ReplyCounter::RespAggregate(char type, std::string_view count) {
  const std::optional<std::int64_t> elements = Count(count, kMaxElements);
  if (!elements) return Fail("this is no count", count);
  if (*elements < 0) {
    Missing();
    return true;
  }
  open_ += static_cast<std::uint64_t>(*elements) * (type == '%' ? 2 : 1);
  if (open_ > kMaxOpen) return Fail("too many elements in one reply", count);
  ElementEnds();
  return true;
}

bool ReplyCounter::MemcachedLine(std::string_view line) {
  if (line.starts_with("VALUE ")) {
    const std::size_t space = line.rfind(' ');
    const std::optional<std::int64_t> bytes = Count(line.substr(space + 1), kMaxPayloadBytes);
    if (!bytes || *bytes < 0) return Fail("this is no length", line);
    ++in_reply_;
    return Payload(static_cast<std::uint64_t>(*bytes));
  }
  if (line == "END") {
    if (in_reply_ > expected_.keys_per_request) return Fail("more values than keys", line);
    missing_ += expected_.keys_per_request - in_reply_;
    in_reply_ = 0;
  } else if (line != "STORED") {
    return Fail("the server answers with an error", line);
  }
  ++replies_;
  return true;
}

bool ReplyCounter::Payload(std::uint64_t length) {
  if (!pushed_) {
    if (expected_.value_bytes && *expected_.value_bytes != length) {
      return Fail(fmt::format("a value should have {} bytes, and has", *expected_.value_bytes),
                  std::to_string(length));
    }
    ++values_;
  }
  skip_ = length + 2;
  return true;
}

void ReplyCounter::Missing() {
  if (!pushed_) ++missing_;
  ElementEnds();
}

void ReplyCounter::ElementEnds() {
  if (--open_ == 0 && !pushed_) ++replies_;
}

}  // namespace cirein::bench::resp
