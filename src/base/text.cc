// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <charconv>
#include <system_error>

#include <fmt/format.h>

namespace cirein {
namespace {

constexpr std::string_view kSmallHexDigits = "0123456789abcdef";
constexpr std::string_view kCapitalHexDigits = "0123456789ABCDEF";
constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

unsigned char ToByte(char c) { return static_cast<unsigned char>(c); }

bool IsPrintable(char c) { return c >= 0x20 && c < 0x7F; }

void AppendHexByte(std::string* out, char c, std::string_view digits) {
  out->push_back(digits[ToByte(c) >> 4]);
  out->push_back(digits[ToByte(c) & 0x0F]);
}

bool IsContinuation(std::string_view text, std::size_t at) {
  return at < text.size() && (ToByte(text[at]) & 0xC0) == 0x80;
}

// The length of the well-formed UTF-8 character that starts at `at`, or 0. The bounds on the second
// byte keep out overlong forms, surrogates and what lies beyond U+10FFFF (Unicode, table 3-7).
std::size_t Utf8CharacterBytes(std::string_view text, std::size_t at) {
  const unsigned char first = ToByte(text[at]);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !IsContinuation(text, at + 1)) return 0;
  if (first < 0xE0) return 2;
  const unsigned char second = ToByte(text[at + 1]);
  if (!IsContinuation(text, at + 2)) return 0;
  if (first < 0xF0) {
    if (first == 0xE0 && second < 0xA0) return 0;
    if (first == 0xED && second > 0x9F) return 0;
    return 3;
  }
  if (first == 0xF0 && second < 0x90) return 0;
  if (first == 0xF4 && second > 0x8F) return 0;
  return IsContinuation(text, at + 3) ? 4 : 0;
}

void AppendJsonCharacter(std::string* out, char c) {
  switch (c) {
    case '"':
      *out += "\\\"";
      return;
    case '\\':
      *out += "\\\\";
      return;
    case '\n':
      *out += "\\n";
      return;
    case '\r':
      *out += "\\r";
      return;
    case '\t':
      *out += "\\t";
      return;
    default:
      break;
  }
  if (IsControlByte(c)) {
    *out += "\\u00";
    AppendHexByte(out, c, kSmallHexDigits);
  } else {
    out->push_back(c);
  }
}

template <typename Number>
Result<Number> ParseNumber(std::string_view text, int base, std::string_view what) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error == std::errc::result_out_of_range) {
    return InvalidArgument(fmt::format("{} is out of range", QuoteForPeople(text)),
                           "give a smaller number");
  }
  if (error != std::errc() || stop != end) {
    return InvalidArgument(fmt::format("{} is not a {}", QuoteForPeople(text), what),
                           "give digits only, without blanks");
  }
  return value;
}

}  // namespace

bool IsControlByte(char byte) { return ToByte(byte) < 0x20 || ToByte(byte) == 0x7F; }

int HexDigitValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::string EscapeForPeople(std::string_view bytes, std::size_t max_bytes) {
  std::string out;
  for (const char c : bytes.substr(0, max_bytes)) {
    if (c == '\\') {
      out += "\\\\";
    } else if (IsPrintable(c)) {
      out.push_back(c);
    } else {
      out += "\\x";
      AppendHexByte(&out, c, kSmallHexDigits);
    }
  }
  if (bytes.size() > max_bytes) out += fmt::format("... ({} bytes)", bytes.size());
  return out;
}

std::string QuoteForPeople(std::string_view bytes, std::size_t max_bytes) {
  return fmt::format("\"{}\"", EscapeForPeople(bytes, max_bytes));
}

bool IsUtf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = Utf8CharacterBytes(text, at);
    if (bytes == 0) return false;
    at += bytes;
  }
  return true;
}

std::string JsonString(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = Utf8CharacterBytes(text, at);
    if (bytes == 0) {
      out += kReplacementCharacter;
    } else if (bytes == 1) {
      AppendJsonCharacter(&out, text[at]);
    } else {
      out += text.substr(at, bytes);
    }
    at += bytes == 0 ? 1 : bytes;
  }
  out.push_back('"');
  return out;
}

std::string PercentEncode(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      out.push_back('%');
      AppendHexByte(&out, c, kCapitalHexDigits);
    }
  }
  return out;
}

Result<std::string> PercentDecode(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out.push_back(text[at]);
      continue;
    }
    const int high = at + 1 < text.size() ? HexDigitValue(text[at + 1]) : -1;
    const int low = at + 2 < text.size() ? HexDigitValue(text[at + 2]) : -1;
    if (high < 0 || low < 0) {
      return InvalidArgument(
          fmt::format("{} has a '%' without two hex digits at byte {}", QuoteForPeople(text), at),
          "write a percent sign itself as %25");
    }
    out.push_back(static_cast<char>(high * 16 + low));
    at += 2;
  }
  return out;
}

std::string CsvField(std::string_view text) {
  const bool blank_edge = !text.empty() && (text.front() == ' ' || text.back() == ' ');
  if (!blank_edge && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    return std::string(text);
  }
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

std::string AsciiLower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Result<std::uint64_t> ParseUint64(std::string_view text) {
  return ParseNumber<std::uint64_t>(text, 10, "whole number of 0 or more");
}

Result<std::int64_t> ParseInt64(std::string_view text) {
  return ParseNumber<std::int64_t>(text, 10, "whole number");
}

Result<std::uint64_t> ParseHex64(std::string_view digits) {
  return ParseNumber<std::uint64_t>(digits, 16, "hexadecimal number");
}

}  // namespace cirein
