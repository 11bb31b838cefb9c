// SPDX-License-Identifier: Apache-2.0
#include "cli/option_set.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"

namespace cirein {
namespace {

Result<std::uint64_t> NumberIn(std::string_view text, NumberRange range) {
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t number, ParseUint64(text));
  if (number >= range.least && number <= range.most) return number;
  return InvalidArgument(fmt::format("{} is out of range", number),
                         fmt::format("give {} to {}", range.least, range.most));
}

Result<std::uint64_t> BytesIn(std::string_view text, NumberRange range) {
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, ParseBytes(text));
  if (bytes >= range.least && bytes <= range.most) return bytes;
  return InvalidArgument(
      fmt::format("{} is out of range", text),
      fmt::format("give {} to {}", FormatBytes(range.least), FormatBytes(range.most)));
}

Result<double> RealIn(std::string_view text, RealRange range) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
    return InvalidArgument(fmt::format("{} is no number", QuoteForPeople(text)),
                           "give such as 0.5 or 20000");
  }
  if (number >= range.least && number <= range.most) return number;
  return InvalidArgument(fmt::format("{} is out of range", text),
                         fmt::format("give {} to {}", range.least, range.most));
}

// A setter that puts what `parse` makes of the text into `target`.
template <typename Target, typename Parse>
std::function<Status(std::string_view)> Into(Target* target, Parse parse) {
  return [target, parse](std::string_view text) -> Status {
    auto value = parse(text);
    if (!value.ok()) return value.status();
    *target = *std::move(value);
    return OkStatus();
  };
}

Result<std::string> AnyText(std::string_view text) { return std::string(text); }

}  // namespace

std::vector<std::string> Option::NameList() const {
  std::vector<std::string> list;
  std::string_view rest = names;
  for (std::size_t comma = rest.find(','); comma != std::string_view::npos;
       comma = rest.find(',')) {
    list.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(comma + 1);
  }
  list.emplace_back(rest);
  return list;
}

void OptionSet::Add(Option option) { options_.push_back(std::move(option)); }

void OptionSet::AddValue(OptionText text, std::string fallback,
                         std::function<Status(std::string_view)> set) {
  Option option;
  option.kind = Option::Kind::kValue;
  option.names = std::move(text.names);
  option.value = std::move(text.value);
  option.help = std::move(text.help);
  option.fallback = std::move(fallback);
  option.set = std::move(set);
  Add(std::move(option));
}

void OptionSet::AddFlag(OptionText text, bool* target) {
  AddValue(std::move(text), "", [target](std::string_view) {
    *target = true;
    return OkStatus();
  });
  options_.back().kind = Option::Kind::kFlag;
}

void OptionSet::AddText(OptionText text, std::string* target) {
  AddValue(std::move(text), *target, Into(target, AnyText));
}

void OptionSet::AddText(OptionText text, std::optional<std::string>* target) {
  AddValue(std::move(text), "", Into(target, AnyText));
}

void OptionSet::AddList(OptionText text, std::vector<std::string>* target) {
  AddValue(std::move(text), "", [target](std::string_view value) {
    target->emplace_back(value);
    return OkStatus();
  });
  options_.back().kind = Option::Kind::kRepeated;
}

void OptionSet::AddNumber(OptionText text, NumberRange range, std::uint64_t* target) {
  AddValue(std::move(text), fmt::format("{}", *target),
           Into(target, [range](std::string_view value) { return NumberIn(value, range); }));
}

void OptionSet::AddNumber(OptionText text, NumberRange range,
                          std::optional<std::uint64_t>* target) {
  AddValue(std::move(text), "",
           Into(target, [range](std::string_view value) { return NumberIn(value, range); }));
}

void OptionSet::AddReal(OptionText text, RealRange range, double* target) {
  AddValue(std::move(text), fmt::format("{}", *target),
           Into(target, [range](std::string_view value) { return RealIn(value, range); }));
}

void OptionSet::AddReal(OptionText text, RealRange range, std::optional<double>* target) {
  AddValue(std::move(text), "",
           Into(target, [range](std::string_view value) { return RealIn(value, range); }));
}

void OptionSet::AddBytes(OptionText text, NumberRange range, std::uint64_t* target) {
  AddValue(std::move(text), FormatBytes(*target),
           Into(target, [range](std::string_view value) { return BytesIn(value, range); }));
}

void OptionSet::AddDuration(OptionText text, std::chrono::nanoseconds* target) {
  AddValue(std::move(text), FormatDuration(*target), Into(target, ParseDuration));
}

void OptionSet::AddDuration(OptionText text, std::optional<std::chrono::nanoseconds>* target) {
  AddValue(std::move(text), "", Into(target, ParseDuration));
}

void OptionSet::AddChoice(OptionText text, std::vector<std::string> choices, std::string fallback,
                          std::function<Status(std::string_view)> set) {
  AddValue(std::move(text), std::move(fallback),
           [choices, set = std::move(set)](std::string_view word) -> Status {
             if (std::find(choices.begin(), choices.end(), word) != choices.end()) {
               return set(word);
             }
             const std::vector<std::string_view> known(choices.begin(), choices.end());
             return InvalidArgument(
                 fmt::format("{} is none of its choices", QuoteForPeople(word)),
                 DidYouMean(word, known, fmt::format("give {}", fmt::join(choices, ", "))));
           });
  options_.back().choices = std::move(choices);
}

void OptionSet::AddArgument(OptionText text, Presence presence, std::string* target) {
  AddText(std::move(text), target);
  options_.back().kind = Option::Kind::kArgument;
  options_.back().required = presence == Presence::kRequired;
}

void OptionSet::AddArgument(OptionText text, Presence presence,
                            std::optional<std::string>* target) {
  AddText(std::move(text), target);
  options_.back().kind = Option::Kind::kArgument;
  options_.back().required = presence == Presence::kRequired;
}

void OptionSet::AddChoiceArgument(OptionText text, std::vector<std::string> choices,
                                  std::string fallback,
                                  std::function<Status(std::string_view)> set) {
  AddChoice(std::move(text), std::move(choices), std::move(fallback), std::move(set));
  options_.back().kind = Option::Kind::kArgument;
}

const Option* OptionSet::Find(std::string_view name) const {
  for (const Option& option : options_) {
    const std::vector<std::string> names = option.NameList();
    if (std::find(names.begin(), names.end(), name) != names.end()) return &option;
  }
  return nullptr;
}

}  // namespace cirein
