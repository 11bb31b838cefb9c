// SPDX-License-Identifier: Apache-2.0
#include "resp/request_parser.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein::resp {
namespace {

// Before the password.
constexpr std::int64_t kUnknownArgs = 10;
constexpr std::int64_t kUnknownBytes = 16'384;
// So much is set aside for a body on the word of a client; the rest when that much has come.
constexpr std::uint64_t kBelievedBytes = std::uint64_t{64} << 20;
// Room for arguments that is kept from one command to the next.
constexpr std::size_t kKeptArgs = 64;
constexpr std::size_t kKeptLineBytes = 1024;
constexpr std::size_t kFirstArgs = 1024;

// As Redis reads numbers: digits without leading zeros, perhaps a minus.
bool ReadNumber(std::string_view text, std::int64_t& value) {
  const bool negative = !text.empty() && text.front() == '-';
  const std::string_view digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || digits.size() > 18) return false;  // No length is near the limits.
  if (digits.front() == '0' && (digits.size() > 1 || negative)) return false;
  std::int64_t result = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return false;
    result = result * 10 + (digit - '0');
  }
  value = negative ? -result : result;
  return true;
}

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// What a backslash before this character means between double quotes.
char Unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// One word of a line, from `at` on; false for a quote that is not closed, or not the word's end.
class WordReader {
 public:
  WordReader(std::string_view line, std::size_t& at, std::string& out)
      : line_(line), at_(at), out_(out) {}

  bool Read() {
    while (at_ < line_.size()) {
      const char c = line_[at_];
      if (IsBlank(c)) return true;
      ++at_;
      if (c == '"') return ReadDouble();
      if (c == '\'') return ReadSingle();
      out_.push_back(c);
    }
    return true;
  }

 private:
  bool EndsHere() const { return at_ == line_.size() || IsBlank(line_[at_]); }

  bool ReadDouble() {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '"') return EndsHere();
      if (c == '\\' && at_ + 2 < line_.size() && line_[at_] == 'x' &&
          HexDigitValue(line_[at_ + 1]) >= 0 && HexDigitValue(line_[at_ + 2]) >= 0) {
        out_.push_back(
            static_cast<char>(HexDigitValue(line_[at_ + 1]) * 16 + HexDigitValue(line_[at_ + 2])));
        at_ += 3;
      } else if (c == '\\' && at_ < line_.size()) {
        out_.push_back(Unescape(line_[at_++]));
      } else {
        out_.push_back(c);
      }
    }
    return false;
  }

  bool ReadSingle() {
    while (at_ < line_.size()) {
      char c = line_[at_++];
      if (c == '\'') return EndsHere();
      if (c == '\\' && at_ < line_.size() && line_[at_] == '\'') c = line_[at_++];
      out_.push_back(c);
    }
    return false;
  }

  std::string_view line_;
  std::size_t& at_;
  std::string& out_;
};

}  // namespace

bool SplitWords(std::string_view line, std::string& storage, std::vector<Arg>& words) {
  line = line.substr(0, line.find('\0'));  // As Redis, for which a line is a C string.
  storage.clear();
  storage.reserve(line.size());  // Words are never longer than what they are made of: no moving.
  for (std::size_t at = 0;;) {
    while (at < line.size() && IsBlank(line[at])) ++at;
    if (at == line.size()) return true;
    const std::size_t begin = storage.size();
    if (!WordReader(line, at, storage).Read()) return false;
    words.push_back({std::string_view(storage).substr(begin), DataObject()});
  }
}

RequestParser::Outcome RequestParser::Parse(std::string_view input, const Limits& limits) {
  if (state_ == State::kStart) {
    position_ = 0;
    args_.clear();
    offsets_.clear();
    bodies_bytes_ = 0;
    if (input.empty()) return Wait(input);
    if (input.front() != '*') return ParseLine(input);
    state_ = State::kCount;
  } else if (!offsets_.empty()) {
    Rebase(input);
  }
  base_ = input.data();
  for (;;) {
    Outcome outcome = Outcome::kMore;
    switch (state_) {
      case State::kStart:
      case State::kCount:
        outcome = ParseCount(input, limits);
        break;
      case State::kLength:
        outcome = ParseLength(input, limits);
        break;
      case State::kArgument:
        outcome = ParseArgument(input);
        break;
      case State::kBody:
        outcome = FillBody(input);
        break;
    }
    if (outcome != Outcome::kCommand) return outcome;
    if (left_ == 0) {
      state_ = State::kStart;
      return Outcome::kCommand;
    }
  }
}

// The input is kept by the caller, but may be somewhere else when it comes again.
RequestParser::Outcome RequestParser::Wait(std::string_view input) {
  for (std::size_t i = offsets_.size(); i < args_.size(); ++i) {
    const Arg& arg = args_[i];
    offsets_.push_back(arg.body.is_null() && !arg.bytes.empty()
                           ? static_cast<std::size_t>(arg.bytes.data() - input.data())
                           : 0);
  }
  keep_ = input.size();
  return Outcome::kMore;
}

void RequestParser::Rebase(std::string_view input) {
  if (input.data() == base_) return;
  for (std::size_t i = 0; i < offsets_.size(); ++i) {
    Arg& arg = args_[i];
    if (arg.body.is_null()) arg.bytes = {input.data() + offsets_[i], arg.bytes.size()};
  }
}

RequestParser::Outcome RequestParser::Fail(std::string error) {
  error_ = std::move(error);
  return Outcome::kError;
}

RequestParser::Outcome RequestParser::ParseLine(std::string_view input) {
  const std::size_t end = input.find('\n');
  if (std::min(end, input.size()) > kMaxLineBytes) {
    return Fail("ERR Protocol error: too big inline request");
  }
  if (end == std::string_view::npos) return Wait(input);
  std::string_view line = input.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (!SplitWords(line, line_, args_)) {
    return Fail("ERR Protocol error: unbalanced quotes in request");
  }
  position_ = end + 1;
  return Outcome::kCommand;
}

std::uint64_t RequestParser::held_bytes() const noexcept {
  return bodies_bytes_ + (body_.is_null() ? 0 : body_bytes_) +
         args_.size() * (sizeof(Arg) + sizeof(std::size_t));
}

RequestParser::Outcome RequestParser::ParseNumber(std::string_view input,
                                                  std::string_view too_long) {
  const std::string_view rest = input.substr(position_);
  // Nearly always one to three digits.
  std::size_t end = 1;
  while (end < rest.size() && end < 8 && rest[end] != '\r') ++end;
  if (end >= rest.size() || rest[end] != '\r') end = rest.find('\r', std::min(end, rest.size()));
  if (std::min(end, rest.size()) > kMaxLineBytes) {
    return Fail(fmt::format("ERR Protocol error: {}", too_long));
  }
  if (end == std::string_view::npos || end + 1 >= rest.size()) return Wait(input);
  number_ok_ = end > 0 && ReadNumber(rest.substr(1, end - 1), number_);
  length_ = end + 2;
  return Outcome::kCommand;
}

RequestParser::Outcome RequestParser::ParseCount(std::string_view input, const Limits& limits) {
  const Outcome outcome = ParseNumber(input, "too big mbulk count string");
  if (outcome != Outcome::kCommand) return outcome;
  if (!number_ok_ || number_ > static_cast<std::int64_t>(kMaxArgs)) {
    return Fail("ERR Protocol error: invalid multibulk length");
  }
  if (number_ > kUnknownArgs && limits.trust == Trust::kUnknown) {
    return Fail("ERR Protocol error: unauthenticated multibulk length");
  }
  position_ += static_cast<std::size_t>(length_);
  left_ = number_ > 0 ? static_cast<std::uint64_t>(number_) : 0;
  offsets_.clear();
  args_.reserve(std::min<std::size_t>(left_, kFirstArgs));
  state_ = State::kLength;
  return Outcome::kCommand;
}

RequestParser::Outcome RequestParser::ParseLength(std::string_view input, const Limits& limits) {
  if (position_ == input.size()) return Wait(input);
  const Outcome outcome = ParseNumber(input, "too big bulk count string");
  if (outcome != Outcome::kCommand) return outcome;
  if (input[position_] != '$') {
    return Fail(fmt::format("ERR Protocol error: expected '$', got '{}'", input[position_]));
  }
  if (!number_ok_ || number_ < 0 || static_cast<std::uint64_t>(number_) > limits.max_bulk_bytes) {
    return Fail("ERR Protocol error: invalid bulk length");
  }
  if (number_ > kUnknownBytes && limits.trust == Trust::kUnknown) {
    return Fail("ERR Protocol error: unauthenticated bulk length");
  }
  position_ += static_cast<std::size_t>(length_);
  length_ = static_cast<std::uint64_t>(number_);
  if (length_ > kBodyBytes) return BeginBody(input);
  state_ = State::kArgument;
  return ParseArgument(input);
}

RequestParser::Outcome RequestParser::ParseArgument(std::string_view input) {
  const auto bytes = static_cast<std::size_t>(length_);
  if (input.size() - position_ < bytes + 2) return Wait(input);
  args_.push_back({input.substr(position_, bytes), DataObject()});
  position_ += bytes + 2;
  --left_;
  state_ = State::kLength;
  return Outcome::kCommand;
}

RequestParser::Outcome RequestParser::BeginBody(std::string_view input) {
  auto body = DataObject::Allocate(
      {.meta_bytes = 0, .data_bytes = std::min(length_, kBelievedBytes), .type = 0});
  if (!body.ok()) return Fail(fmt::format("ERR {}", body.status().message()));
  body_ = std::move(*body);
  body_bytes_ = 0;
  state_ = State::kBody;
  return FillBody(input);
}

// Who has sent that much is believed the rest: growing again and again would copy it each time.
Status RequestParser::GrowBody() {
  CIREIN_ASSIGN_OR_RETURN(
      DataObject larger, DataObject::Allocate({.meta_bytes = 0, .data_bytes = length_, .type = 0}));
  std::memcpy(larger.mutable_data().data(), body_.data().data(), body_bytes_);
  body_ = std::move(larger);
  return OkStatus();
}

std::span<std::byte> RequestParser::body_window() noexcept {
  if (state_ != State::kBody || body_.is_null()) return {};
  return body_.mutable_data().subspan(static_cast<std::size_t>(body_bytes_));
}

void RequestParser::BodyReceived(std::size_t bytes) { body_bytes_ += bytes; }

// Takes of the input what belongs to the body. While the body is not complete all behind position_
// is taken, and the next bytes are to stand there.
RequestParser::Outcome RequestParser::FillBody(std::string_view input) {
  std::size_t at = position_;
  while (body_bytes_ < length_) {
    if (body_bytes_ == body_.data_bytes()) {
      if (const Status grown = GrowBody(); !grown.ok()) {
        return Fail(fmt::format("ERR {}", grown.message()));
      }
    }
    const std::span<std::byte> window = body_window();
    const std::size_t bytes = std::min(window.size(), input.size() - at);
    if (bytes == 0) {
      Wait(input);
      keep_ = position_;
      return Outcome::kMore;
    }
    std::memcpy(window.data(), input.data() + at, bytes);
    body_bytes_ += bytes;
    at += bytes;
  }
  position_ = at;
  if (input.size() - position_ < 2) return Wait(input);
  position_ += 2;
  bodies_bytes_ += length_;
  const std::string_view text = body_.text();
  args_.push_back({text, std::move(body_)});
  body_ = DataObject();
  --left_;
  state_ = State::kLength;
  return Outcome::kCommand;
}

void RequestParser::Shrink() {
  if (state_ != State::kStart) return;
  bodies_bytes_ = 0;
  if (args_.capacity() > kKeptArgs) std::vector<Arg>().swap(args_);
  args_.clear();  // And the bodies with them.
  if (offsets_.capacity() > kKeptArgs) std::vector<std::size_t>().swap(offsets_);
  if (line_.capacity() > kKeptLineBytes) std::string().swap(line_);
  if (error_.capacity() > kKeptLineBytes) std::string().swap(error_);
}

}  // namespace cirein::resp
