// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/status.h"

/// Bytes as text and back: for people, JSON, URLs, tables, and numbers. Everything here is a pure
/// function, safe from any thread.
namespace cirein {

/// How much of a name an error message shows unless told otherwise.
inline constexpr std::size_t kShownBytes = 80;

/// Printable ASCII as it is, a backslash doubled, every other byte as \xNN. Of more than
/// `max_bytes` bytes only the first are shown, then "... (N bytes)".
std::string EscapeForPeople(std::string_view bytes, std::size_t max_bytes = kShownBytes);

/// EscapeForPeople between double quotes: how messages show what a user wrote.
std::string QuoteForPeople(std::string_view bytes, std::size_t max_bytes = kShownBytes);

/// Is this well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF)?
bool IsUtf8(std::string_view text);

/// The text as a JSON string with its quotes. Each byte that is not part of well-formed UTF-8
/// becomes U+FFFD, so that the output is always valid JSON.
std::string JsonString(std::string_view text);

/// Letters, digits, '-', '.', '_' and '~' as they are, every other byte as %NN with capital hex
/// digits: text that is safe in URLs, file names and one-line records.
std::string PercentEncode(std::string_view bytes);
/// The bytes that PercentEncode was given. Errors: InvalidArgument for a '%' that is not followed
/// by two hex digits (either case). Characters that need no escape stand for themselves.
Result<std::string> PercentDecode(std::string_view text);

/// The text as one field of a CSV row (RFC 4180): quoted only when it must be.
std::string CsvField(std::string_view text);

/// ASCII capitals made small; other bytes unchanged, whatever the locale.
std::string AsciiLower(std::string_view text);

/// True for the bytes below 0x20 (tab, newline, ...) and 0x7F; a space is not one.
bool IsControlByte(char byte);

/// The value of one hex digit, or -1.
int HexDigitValue(char digit);

/// Decimal digits only (a '-' first, where the type is signed): no blanks, no '+', no prefix.
/// Errors: InvalidArgument with the text, and whether it is no number or out of range.
Result<std::uint64_t> ParseUint64(std::string_view text);
Result<std::int64_t> ParseInt64(std::string_view text);
/// One to sixteen hex digits, either case, without "0x".
Result<std::uint64_t> ParseHex64(std::string_view digits);

}  // namespace cirein
