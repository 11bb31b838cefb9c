// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <array>
#include <cstddef>
#include <limits>
#include <numeric>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

constexpr std::uint64_t kKibi = 1024;

// From large to small, as formatting tries them.
constexpr std::array<Unit, 6> kByteUnits{{
    {"PiB", kKibi* kKibi* kKibi* kKibi* kKibi},
    {"TiB", kKibi* kKibi* kKibi* kKibi},
    {"GiB", kKibi* kKibi* kKibi},
    {"MiB", kKibi* kKibi},
    {"KiB", kKibi},
    {"B", 1},
}};

constexpr std::array<Unit, 6> kTimeUnits{{
    {"h", 3'600'000'000'000},
    {"m", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
}};

// The size of a unit of bytes: a letter alone or with "b" is decimal, with "i" or "ib" binary.
std::optional<std::uint64_t> ByteUnitSize(std::string_view unit) {
  const std::string name = AsciiLower(unit);
  if (name == "b") return 1;
  constexpr std::string_view kLetters = "kmgtp";
  const std::size_t power = name.empty() ? std::string_view::npos : kLetters.find(name.front());
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view rest = std::string_view(name).substr(1);
  const bool decimal = rest.empty() || rest == "b";
  if (!decimal && rest != "i" && rest != "ib") return std::nullopt;
  std::uint64_t size = 1;
  for (std::size_t i = 0; i <= power; ++i) size *= decimal ? 1000 : kKibi;
  return size;
}

std::optional<std::uint64_t> TimeUnitSize(std::string_view name) {
  for (const Unit& unit : kTimeUnits) {
    if (unit.name == name) return unit.size;
  }
  return std::nullopt;
}

// A number with its unit, apart: "1.50 MiB" is whole 1, fraction 5 of 10, unit "MiB".
struct Quantity {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;
  std::uint64_t fraction_scale = 1;
  std::string_view unit;
};

std::string_view TakeDigits(std::string_view* text) {
  const std::size_t end = text->find_first_not_of("0123456789");
  const std::string_view digits = text->substr(0, end);
  text->remove_prefix(digits.size());
  return digits;
}

// Takes the number apart, or says what is wrong with it.
std::optional<std::string_view> Split(std::string_view text, Quantity* quantity) {
  constexpr std::size_t kMaxFractionDigits = 18;
  const std::string_view whole = TakeDigits(&text);
  if (whole.empty()) return "does not begin with a digit";
  const Result<std::uint64_t> value = ParseUint64(whole);
  if (!value.ok()) return "is too large";
  quantity->whole = *value;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    std::string_view digits = TakeDigits(&text);
    if (digits.empty()) return "has no digit behind its point";
    while (digits.ends_with('0')) digits.remove_suffix(1);
    if (digits.size() > kMaxFractionDigits) return "has too many digits behind its point";
    for (const char digit : digits) {
      quantity->fraction = quantity->fraction * 10 + static_cast<std::uint64_t>(digit - '0');
      quantity->fraction_scale *= 10;
    }
  }
  if (text.ends_with(' ')) return "ends in a blank";
  while (text.starts_with(' ')) text.remove_prefix(1);
  quantity->unit = text;
  return std::nullopt;
}

// The quantity in units of 1, or what is wrong with it; `value` gets it.
std::optional<std::string_view> Scale(const Quantity& quantity, std::uint64_t unit_size,
                                      std::uint64_t* value) {
  // With the common factor out of both, the fraction comes to a whole number only if what is left
  // of the scale divides it; so nothing here overflows.
  const std::uint64_t common = std::gcd(unit_size, quantity.fraction_scale);
  const std::uint64_t scale = quantity.fraction_scale / common;
  if (quantity.fraction % scale != 0) return "does not come to a whole number of the smallest unit";
  const std::uint64_t part = quantity.fraction / scale * (unit_size / common);
  if (quantity.whole > (std::numeric_limits<std::uint64_t>::max() - part) / unit_size) {
    return "is too large";
  }
  *value = quantity.whole * unit_size + part;
  return std::nullopt;
}

std::string FormatExactly(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value >= unit.size && value % unit.size == 0) {
      return fmt::format("{}{}", value / unit.size, unit.name);
    }
  }
  return fmt::format("{}{}", value, units.back().name);
}

std::string FormatRounded(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value < unit.size || unit.size == 1) continue;
    const double number = static_cast<double>(value) / static_cast<double>(unit.size);
    const int digits = number < 10 ? 2 : number < 100 ? 1 : 0;
    return fmt::format("{:.{}f}{}", number, digits, unit.name);
  }
  return fmt::format("{}{}", value, units.back().name);
}

Status RefuseBytes(std::string_view text, std::string_view why) {
  return InvalidArgument(fmt::format("the size {} {}", QuoteForPeople(text), why),
                         "write a number with B, KiB, MiB, GiB, TiB or PiB, or with kB, MB, GB for "
                         "powers of 1000");
}

Status RefuseDuration(std::string_view text, std::string_view why) {
  return InvalidArgument(fmt::format("the duration {} {}", QuoteForPeople(text), why),
                         "write a number with ns, us, ms, s, m or h, such as 250ms or 1.5s");
}

}  // namespace

Result<std::uint64_t> ParseBytes(std::string_view text) {
  Quantity quantity;
  if (const auto why = Split(text, &quantity)) return RefuseBytes(text, *why);
  const std::optional<std::uint64_t> unit_size =
      quantity.unit.empty() ? 1 : ByteUnitSize(quantity.unit);
  if (!unit_size) return RefuseBytes(text, "has an unknown unit");
  std::uint64_t bytes = 0;
  if (const auto why = Scale(quantity, *unit_size, &bytes)) return RefuseBytes(text, *why);
  return bytes;
}

std::string FormatBytes(std::uint64_t bytes) { return FormatExactly(bytes, kByteUnits); }

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  Quantity quantity;
  if (const auto why = Split(text, &quantity)) return RefuseDuration(text, *why);
  if (quantity.unit.empty()) {
    if (quantity.whole == 0 && quantity.fraction == 0) return std::chrono::nanoseconds::zero();
    return RefuseDuration(text, "has no unit");
  }
  const std::optional<std::uint64_t> unit_size = TimeUnitSize(quantity.unit);
  if (!unit_size) return RefuseDuration(text, "has an unknown unit");
  std::uint64_t ns = 0;
  if (const auto why = Scale(quantity, *unit_size, &ns)) return RefuseDuration(text, *why);
  using Rep = std::chrono::nanoseconds::rep;
  if (ns > static_cast<std::uint64_t>(std::numeric_limits<Rep>::max())) {
    return RefuseDuration(text, "is too large");
  }
  return std::chrono::nanoseconds(static_cast<Rep>(ns));
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<std::uint64_t>(duration.count());
  if (duration.count() < 0) return "-" + FormatExactly(0 - ns, kTimeUnits);
  return duration.count() == 0 ? "0s" : FormatExactly(ns, kTimeUnits);
}

std::string BytesForPeople(std::uint64_t bytes) { return FormatRounded(bytes, kByteUnits); }

std::string DurationForPeople(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<std::uint64_t>(duration.count());
  if (duration.count() < 0) return "-" + FormatRounded(0 - ns, kTimeUnits);
  return duration.count() == 0 ? "0s" : FormatRounded(ns, kTimeUnits);
}

}  // namespace cirein
