// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

namespace cirein {

/// One flag or argument of a verb. Help, completion, the docs and the parser are all made of these.
struct Option {
  enum class Kind : std::uint8_t {
    kFlag,      ///< Takes no value.
    kValue,     ///< Takes one value; the last one given counts.
    kRepeated,  ///< May be given several times, each with one value.
    kArgument,  ///< Has no dashes: its place tells what it is.
  };
  Kind kind = Kind::kFlag;
  std::string names;      ///< "-o,--output"; of an argument its name, "URL".
  std::string value;      ///< What stands for the value in help: "FORMAT".
  std::string help;       ///< A phrase.
  std::string fallback;   ///< The value when it is not given, as text; empty: none to speak of.
  bool required = false;  ///< Of an argument.
  std::vector<std::string> choices;             ///< The words it takes, if there are only a few.
  std::function<Status(std::string_view)> set;  ///< Takes a value; a flag's gets "".

  /// The names one by one: "-o", "--output".
  std::vector<std::string> NameList() const;
};

/// How an option is declared: what it is called, what stands for its value, what it means.
struct OptionText {
  std::string names;
  std::string value;
  std::string help;
};

/// The values a number may have, both ends included.
struct NumberRange {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
};
struct RealRange {
  double least = 0;
  double most = std::numeric_limits<double>::max();
};

/// The options of a verb, each tied to the variable it sets. The variables must outlive the set;
/// their values at the time of the declaration are shown as what counts when nothing is given.
class OptionSet {
 public:
  void AddFlag(OptionText text, bool* target);
  void AddText(OptionText text, std::string* target);
  void AddText(OptionText text, std::optional<std::string>* target);
  void AddList(OptionText text, std::vector<std::string>* target);
  void AddNumber(OptionText text, NumberRange range, std::uint64_t* target);
  void AddNumber(OptionText text, NumberRange range, std::optional<std::uint64_t>* target);
  void AddReal(OptionText text, RealRange range, double* target);
  void AddReal(OptionText text, RealRange range, std::optional<double>* target);
  void AddBytes(OptionText text, NumberRange range, std::uint64_t* target);
  void AddDuration(OptionText text, std::chrono::nanoseconds* target);
  void AddDuration(OptionText text, std::optional<std::chrono::nanoseconds>* target);
  /// One of a few words; `set` gets a word that is among them.
  void AddChoice(OptionText text, std::vector<std::string> choices, std::string fallback,
                 std::function<Status(std::string_view)> set);
  /// For all that is none of these: whatever the option's fields say.
  void Add(Option option);

  enum class Presence : std::uint8_t { kOptional, kRequired };
  /// An argument without dashes, in the order of the calls.
  void AddArgument(OptionText text, Presence presence, std::string* target);
  void AddArgument(OptionText text, Presence presence, std::optional<std::string>* target);

  /// An optional argument that is one of a few words; as AddChoice.
  void AddChoiceArgument(OptionText text, std::vector<std::string> choices, std::string fallback,
                         std::function<Status(std::string_view)> set);

  const std::vector<Option>& options() const noexcept { return options_; }
  /// The option of that name, dashes included, or null.
  const Option* Find(std::string_view name) const;

 private:
  void AddValue(OptionText text, std::string fallback, std::function<Status(std::string_view)> set);

  std::vector<Option> options_;
};

}  // namespace cirein
