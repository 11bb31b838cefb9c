// SPDX-License-Identifier: Apache-2.0
#include "resp/reply_writer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "resp/number.h"

namespace cirein::resp {
namespace {

constexpr std::size_t kLineEndBytes = 2;
// Of a type, a number and a line end.
constexpr std::size_t kMaxHeaderBytes = 1 + kMaxIntegerBytes + kLineEndBytes;
// A small bulk is written at once with its header, in room for both.
constexpr std::size_t kSmallBytes = std::size_t{4} << 10;

char* WriteLineEnd(char* at) {
  std::memcpy(at, "\r\n", kLineEndBytes);
  return at + kLineEndBytes;
}

char* WriteHeader(char* at, char type, std::int64_t value) {
  *at++ = type;
  return WriteLineEnd(std::to_chars(at, at + kMaxIntegerBytes, value).ptr);
}

}  // namespace

void ReplyWriter::Header(char type, std::int64_t value) {
  char* const at = output_.Room(kMaxHeaderBytes);
  output_.Added(static_cast<std::size_t>(WriteHeader(at, type, value) - at));
}

void ReplyWriter::Simple(std::string_view text) {
  output_.Append("+");
  output_.Append(text);
  output_.Append("\r\n");
}

void ReplyWriter::Error(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  ++errors_;
  const std::string_view code = text.substr(0, std::min(text.find(' '), error_code_.size()));
  std::copy(code.begin(), code.end(), error_code_.begin());
  error_code_bytes_ = static_cast<std::uint8_t>(code.size());
  char* const begin = output_.Room(text.size() + 1 + kLineEndBytes);
  char* at = begin;
  *at++ = '-';
  for (const char c : text) *at++ = c == '\r' || c == '\n' ? ' ' : c;
  output_.Added(static_cast<std::size_t>(WriteLineEnd(at) - begin));
}

void ReplyWriter::Integer(std::int64_t value) { Header(':', value); }

void ReplyWriter::Bulk(std::string_view bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (bytes.size() > kSmallBytes) {
    Header('$', size);
    output_.Append(bytes);
    output_.Append("\r\n");
    return;
  }
  char* const begin = output_.Room(kMaxHeaderBytes + bytes.size() + kLineEndBytes);
  char* const at = WriteHeader(begin, '$', size);
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  output_.Added(static_cast<std::size_t>(WriteLineEnd(at + bytes.size()) - begin));
}

void ReplyWriter::Bulk(const DataObject& object) {
  if (object.data_bytes() <= OutputBuffer::kHeldBytes) {
    Bulk(object.text());
    return;
  }
  Header('$', static_cast<std::int64_t>(object.data_bytes()));
  output_.Append(object);
  output_.Append("\r\n");
}

void ReplyWriter::BulkInteger(std::int64_t value) {
  IntegerText text;
  Bulk(FormatInteger(value, text));
}

void ReplyWriter::Null() {
  output_.Append(protocol_ == Protocol::kResp3 ? std::string_view("_\r\n") : "$-1\r\n");
}

void ReplyWriter::NullArray() {
  output_.Append(protocol_ == Protocol::kResp3 ? std::string_view("_\r\n") : "*-1\r\n");
}

void ReplyWriter::Array(std::size_t elements) { Header('*', static_cast<std::int64_t>(elements)); }

void ReplyWriter::Map(std::size_t pairs) {
  const auto count = static_cast<std::int64_t>(pairs);
  if (protocol_ == Protocol::kResp3) {
    Header('%', count);
  } else {
    Header('*', 2 * count);
  }
}

void ReplyWriter::Set(std::size_t elements) {
  Header(protocol_ == Protocol::kResp3 ? '~' : '*', static_cast<std::int64_t>(elements));
}

void ReplyWriter::Push(std::size_t elements) {
  Header(protocol_ == Protocol::kResp3 ? '>' : '*', static_cast<std::int64_t>(elements));
}

void ReplyWriter::Double(double value) {
  DoubleText buffer;
  const std::string_view text = FormatDouble(value, buffer);
  if (protocol_ == Protocol::kResp2) {
    Bulk(text);
    return;
  }
  output_.Append(",");
  output_.Append(text);
  output_.Append("\r\n");
}

void ReplyWriter::Boolean(bool value) {
  if (protocol_ == Protocol::kResp2) {
    Integer(value ? 1 : 0);
  } else {
    output_.Append(value ? "#t\r\n" : "#f\r\n");
  }
}

void ReplyWriter::Verbatim(std::string_view format, std::string_view text) {
  if (protocol_ == Protocol::kResp2) {
    Bulk(text);
    return;
  }
  Header('=', static_cast<std::int64_t>(format.size() + 1 + text.size()));
  output_.Append(format);
  output_.Append(":");
  output_.Append(text);
  output_.Append("\r\n");
}

}  // namespace cirein::resp
