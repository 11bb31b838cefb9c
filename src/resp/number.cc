// SPDX-License-Identifier: Apache-2.0
#include "resp/number.h"

#include <cerrno>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <locale.h>  // For newlocale and strtold_l, which <clocale> does not have.
#include <system_error>

namespace cirein::resp {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A user's program may have chosen a locale with another decimal point.
locale_t PlainLocale() {
  static const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return locale;
}

}  // namespace

std::optional<std::int64_t> ParseInteger(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMaxIntegerBytes) return std::nullopt;
  if (text.size() == 1 && text[0] == '0') return 0;
  const char first = text[0] == '-' ? (text.size() > 1 ? text[1] : '0') : text[0];
  if (first == '0' || !IsDigit(first)) return std::nullopt;
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<long double> ParseFloat(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMaxFloatBytes || IsBlank(text[0])) return std::nullopt;
  char ended[kMaxFloatBytes + 1];
  std::memcpy(ended, text.data(), text.size());
  ended[text.size()] = '\0';
  char* stop = nullptr;
  errno = 0;
  const long double value = strtold_l(ended, &stop, PlainLocale());
  if (stop != ended + text.size()) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  if (errno == EINVAL || std::isnan(value)) return std::nullopt;
  return value;
}

std::string_view FormatInteger(std::int64_t value, IntegerText& buffer) noexcept {
  char* const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

std::string_view FormatFloat(long double value, FloatText& buffer) noexcept {
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                          std::chars_format::fixed, 17);
  if (error != std::errc()) return {};
  std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  if (text.find('.') != std::string_view::npos) {
    text = text.substr(0, text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.remove_suffix(1);
  }
  return text == "-0" ? text.substr(1) : text;
}

std::string_view FormatDouble(double value, DoubleText& buffer) noexcept {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (std::isnan(value)) return "nan";
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                          std::chars_format::general, 17);
  if (error != std::errc()) return {};
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

}  // namespace cirein::resp
