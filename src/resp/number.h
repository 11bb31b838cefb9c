// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

/// Numbers as Redis reads and writes them: what is one, to the last odd case, decides between an
/// answer and an error. Pure functions, whatever the locale; safe from any thread.
namespace cirein::resp {

/// The longest integer: a sign and 19 digits.
inline constexpr std::size_t kMaxIntegerBytes = 20;
/// A longer text is no number, and no number is longer when written.
inline constexpr std::size_t kMaxFloatBytes = 5 * 1024 - 1;

using IntegerText = std::array<char, kMaxIntegerBytes>;
using DoubleText = std::array<char, 32>;
using FloatText = std::array<char, kMaxFloatBytes>;

/// Decimal digits, '-' before them at most: no blanks, no '+', no leading zeros, no "-0".
std::optional<std::int64_t> ParseInteger(std::string_view text) noexcept;

/// A number as strtold reads it (decimal or hexadecimal, with exponent, a sign, "inf"), all of the
/// text and without blanks before it; no NaN, nothing too large, nothing so small that it is 0.
std::optional<long double> ParseFloat(std::string_view text) noexcept;

/// The texts stand in the buffer.
std::string_view FormatInteger(std::int64_t value, IntegerText& buffer) noexcept;
/// 17 digits after the point, without zeros at the end: what INCRBYFLOAT makes. Of a finite value.
std::string_view FormatFloat(long double value, FloatText& buffer) noexcept;
/// At most 17 digits that matter; "inf", "-inf", "nan": a double of RESP3.
std::string_view FormatDouble(double value, DoubleText& buffer) noexcept;

}  // namespace cirein::resp
