// SPDX-License-Identifier: Apache-2.0
#include "resp/reply_parser.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "resp/number.h"

namespace cirein::resp {
namespace {

// A line or a bulk without body fits, with room to receive more behind it.
constexpr std::size_t kBufferBytes = std::size_t{256} << 10;
constexpr std::size_t kLeastWindowBytes = std::size_t{64} << 10;
// So much is set aside for a body on the word of the server; more only as it comes.
constexpr std::uint64_t kBelievedBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kBelievedElements = 1024;
constexpr std::size_t kLineEndBytes = 2;

}  // namespace

const Reply* Reply::Find(std::string_view name) const noexcept {
  if (kind != Kind::kMap) return nullptr;
  for (std::size_t i = 0; i + 1 < elements.size(); i += 2) {
    if (elements[i].text() == name) return &elements[i + 1];
  }
  return nullptr;
}

std::span<std::byte> ReplyParser::window() {
  if (!body_.is_null() && body_bytes_ < body_.data_bytes()) {
    return body_.mutable_data().subspan(static_cast<std::size_t>(body_bytes_));
  }
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  if (begin_ == end_) begin_ = end_ = 0;
  if (kBufferBytes - end_ < kLeastWindowBytes) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  return std::as_writable_bytes(std::span(buffer_.get() + end_, kBufferBytes - end_));
}

void ReplyParser::Received(std::size_t bytes) noexcept {
  if (!body_.is_null() && body_bytes_ < body_.data_bytes()) {
    body_bytes_ += bytes;
  } else {
    end_ += bytes;
  }
}

ReplyParser::Outcome ReplyParser::Next(Reply* reply) {
  if (!error_.empty()) return Outcome::kError;
  for (;;) {
    const Step step = in_bulk_ ? ParseBulk() : ParseHeader();
    if (step == Step::kMore) return Outcome::kMore;
    if (step == Step::kError) return Outcome::kError;
    if (step == Step::kGoOn) continue;
    *reply = std::move(root_);
    root_ = Reply();
    elements_ = 0;
    bytes_ = 0;
    return Outcome::kReply;
  }
}

ReplyParser::Step ReplyParser::Fail(std::string why) {
  error_ = std::move(why);
  return Step::kError;
}

ReplyParser::Step ReplyParser::ParseHeader() {
  const std::string_view input = rest();
  const std::size_t end = input.find('\r', scanned_);
  if (end == std::string_view::npos || end + 1 == input.size()) {
    scanned_ = std::min(end, input.size());
    if (scanned_ > kMaxLineBytes) return Fail("a line does not end");
    return Step::kMore;
  }
  scanned_ = 0;
  if (end == 0 || input[end + 1] != '\n') return Fail("a line is broken");
  if (end > kMaxLineBytes) return Fail("a line is too long");
  begin_ += end + kLineEndBytes;
  return ParseLine(input.front(), input.substr(1, end - 1));
}

// `line` is in the buffer, which stays as it is meanwhile.
ReplyParser::Step ReplyParser::ParseLine(char type, std::string_view line) {
  Reply reply;
  switch (type) {
    case '+':
    case ',':
    case '(':
    case '-':
      reply.kind = type == '-' ? Reply::Kind::kError : Reply::Kind::kSimple;
      reply.bytes = line;
      return Place(std::move(reply));
    case ':': {
      const auto number = ParseInteger(line);
      if (!number) return Fail(fmt::format("{} is no integer", QuoteForPeople(line)));
      reply.kind = Reply::Kind::kInteger;
      reply.integer = *number;
      return Place(std::move(reply));
    }
    case '#':
      if (line != "t" && line != "f") return Fail("a boolean is neither t nor f");
      reply.kind = Reply::Kind::kInteger;
      reply.integer = line == "t" ? 1 : 0;
      return Place(std::move(reply));
    case '_':
      if (!line.empty()) return Fail("a null is not empty");
      return Place(std::move(reply));
    default:
      return ParseLength(type, line);
  }
}

ReplyParser::Step ReplyParser::ParseLength(char type, std::string_view digits) {
  if (std::string_view("$!*~%>").find(type) == std::string_view::npos) {
    return Fail(fmt::format("nothing begins with {}", QuoteForPeople({&type, 1})));
  }
  const auto number = ParseInteger(digits);
  if (number == -1 && (type == '$' || type == '*')) return Place(Reply());
  if (!number || *number < 0) {
    return Fail(fmt::format("{} is no length", QuoteForPeople(digits)));
  }
  const auto count = static_cast<std::uint64_t>(*number);
  switch (type) {
    case '*':
    case '~':
      return BeginElements(Reply::Kind::kArray, count);
    case '>':
      return BeginElements(Reply::Kind::kPush, count);
    case '%':
      if (count > limits_.max_elements) return Fail("a reply has too many elements");
      return BeginElements(Reply::Kind::kMap, 2 * count);
    default:
      break;
  }
  if (count > limits_.max_bytes - bytes_) return Fail("a reply is too long");
  bytes_ += count;
  length_ = count;
  in_bulk_ = true;
  bulk_kind_ = type == '!' ? Reply::Kind::kError : Reply::Kind::kBulk;
  return Step::kGoOn;
}

ReplyParser::Step ReplyParser::BeginElements(Reply::Kind kind, std::uint64_t count) {
  if (count > limits_.max_elements - elements_) return Fail("a reply has too many elements");
  if (kind == Reply::Kind::kPush && !frames_.empty()) return Fail("a push is inside of a reply");
  elements_ += count;
  Reply reply;
  reply.kind = kind;
  if (count == 0) return Place(std::move(reply));
  if (frames_.size() >= limits_.max_depth) return Fail("a reply is nested too deep");
  reply.elements.reserve(static_cast<std::size_t>(std::min(count, kBelievedElements)));
  Reply* place = &root_;
  if (frames_.empty()) {
    root_ = std::move(reply);
  } else {
    Frame& frame = frames_.back();
    place = &frame.reply->elements.emplace_back(std::move(reply));
    --frame.left;
  }
  // It stays where it is: those around it get no other element before it is complete.
  frames_.push_back({place, count});
  return Step::kGoOn;
}

ReplyParser::Step ReplyParser::Place(Reply reply) {
  if (frames_.empty()) {
    root_ = std::move(reply);
    return Step::kDone;
  }
  frames_.back().reply->elements.push_back(std::move(reply));
  --frames_.back().left;
  return CloseFrames();
}

ReplyParser::Step ReplyParser::CloseFrames() {
  while (!frames_.empty() && frames_.back().left == 0) frames_.pop_back();
  return frames_.empty() ? Step::kDone : Step::kGoOn;
}

ReplyParser::Step ReplyParser::ParseBulk() {
  if (length_ > kBodyBytes) return FillBody();
  const std::string_view input = rest();
  const auto bytes = static_cast<std::size_t>(length_);
  if (input.size() < bytes + kLineEndBytes) return Step::kMore;
  Reply reply;
  reply.bytes = input.substr(0, bytes);
  begin_ += bytes;
  return FinishBulk(std::move(reply));
}

bool ReplyParser::GrowBody() {
  const std::uint64_t bytes =
      std::min(length_, body_.is_null() ? kBelievedBytes : 2 * body_.data_bytes());
  auto larger = DataObject::Allocate({.meta_bytes = 0, .data_bytes = bytes, .type = 0});
  if (!larger.ok()) {
    Fail(std::string(larger.status().message()));
    return false;
  }
  if (body_bytes_ != 0) {
    std::memcpy(larger->mutable_data().data(), body_.data().data(), body_bytes_);
  }
  body_ = std::move(*larger);
  return true;
}

ReplyParser::Step ReplyParser::FillBody() {
  while (body_bytes_ < length_) {
    if ((body_.is_null() || body_bytes_ == body_.data_bytes()) && !GrowBody()) return Step::kError;
    const std::string_view input = rest();
    if (input.empty()) return Step::kMore;
    const std::span<std::byte> room = body_.mutable_data().subspan(body_bytes_);
    const std::size_t bytes = std::min(room.size(), input.size());
    std::memcpy(room.data(), input.data(), bytes);
    begin_ += bytes;
    body_bytes_ += bytes;
  }
  if (rest().size() < kLineEndBytes) return Step::kMore;
  Reply reply;
  reply.body = std::exchange(body_, DataObject());
  body_bytes_ = 0;
  return FinishBulk(std::move(reply));
}

// Its line end is in the buffer.
ReplyParser::Step ReplyParser::FinishBulk(Reply reply) {
  if (rest().substr(0, kLineEndBytes) != "\r\n") return Fail("a string is not as long as it says");
  begin_ += kLineEndBytes;
  in_bulk_ = false;
  reply.kind = bulk_kind_;
  return Place(std::move(reply));
}

}  // namespace cirein::resp
