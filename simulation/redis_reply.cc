// SPDX-License-Identifier: Apache-2.0
#include "simulation/redis_reply.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein::simulation {

namespace {

constexpr std::size_t kMaxDepth = 8;
constexpr std::int64_t kMaxLength = std::int64_t{64} << 20;

Status NoReply(std::string_view what, std::string_view bytes) {
  return DataLoss(fmt::format("{}: \"{}\"", what, EscapeForPeople(bytes.substr(0, 100))));
}

// A line without its end; nullopt: it is not complete.
std::optional<std::string_view> TakeLine(std::string_view bytes, std::size_t* at) {
  const std::size_t end = bytes.find("\r\n", *at);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = bytes.substr(*at, end - *at);
  *at = end + 2;
  return line;
}

Result<std::optional<RedisReply>> Take(std::string_view bytes, std::size_t* at, std::size_t depth) {
  const std::size_t begin = *at;
  const auto line = TakeLine(bytes, at);
  if (!line) return std::optional<RedisReply>();
  if (line->empty() || depth > kMaxDepth) return NoReply("no reply begins so", *line);
  RedisReply reply;
  reply.text = line->substr(1);
  switch (line->front()) {
    case '+':
      reply.kind = RedisReply::Kind::kSimple;
      return std::optional(std::move(reply));
    case '-':
      reply.kind = RedisReply::Kind::kError;
      return std::optional(std::move(reply));
    case ':':
      reply.kind = RedisReply::Kind::kInteger;
      if (!ParseInt64(reply.text).ok()) return NoReply("no integer", *line);
      return std::optional(std::move(reply));
    case '$':
    case '*':
      break;
    default:
      return NoReply("no reply begins so", bytes.substr(begin));
  }
  const Result<std::int64_t> length = ParseInt64(reply.text);
  if (!length.ok() || *length < -1 || *length > kMaxLength) return NoReply("no length", *line);
  reply.text.clear();
  if (*length == -1) return std::optional(std::move(reply));
  if (line->front() == '*') {
    reply.kind = RedisReply::Kind::kArray;
    for (std::int64_t i = 0; i < *length; ++i) {
      CIREIN_ASSIGN_OR_RETURN(std::optional<RedisReply> element, Take(bytes, at, depth + 1));
      if (!element) return std::optional<RedisReply>();
      reply.elements.push_back(*std::move(element));
    }
    return std::optional(std::move(reply));
  }
  const auto size = static_cast<std::size_t>(*length);
  if (bytes.size() - *at < size + 2) return std::optional<RedisReply>();
  reply.kind = RedisReply::Kind::kBulk;
  reply.text = bytes.substr(*at, size);
  if (bytes.substr(*at + size, 2) != "\r\n") return NoReply("a bulk without its end", *line);
  *at += size + 2;
  return std::optional(std::move(reply));
}

}  // namespace

void AppendRequest(const RedisWords& words, std::string& bytes) {
  bytes += fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
}

std::string RedisReply::ToString() const {
  switch (kind) {
    case Kind::kSimple:
      return "+" + text;
    case Kind::kError:
      return "-" + text;
    case Kind::kInteger:
      return ":" + text;
    case Kind::kBulk:
      return "\"" + EscapeForPeople(text, text.size()) + "\"";
    case Kind::kNull:
      return "nil";
    case Kind::kArray:
      break;
  }
  std::string line = "[";
  for (const RedisReply& element : elements) {
    if (line.size() > 1) line += ", ";
    line += element.ToString();
  }
  return line + "]";
}

Result<std::optional<RedisReply>> RedisReplyParser::Next() {
  if (bytes_.empty()) return std::optional<RedisReply>();
  std::size_t at = 0;
  CIREIN_ASSIGN_OR_RETURN(std::optional<RedisReply> reply, Take(bytes_, &at, 0));
  if (reply) bytes_.erase(0, at);
  return reply;
}

}  // namespace cirein::simulation
