// SPDX-License-Identifier: Apache-2.0
#include "cli/argument_parser.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"

namespace cirein {
namespace {

// The only place that knows CLI11: it is a large header, and this way it is compiled once.
class Parser {
 public:
  Parser(std::string_view what, std::span<const OptionSet* const> sets) : what_(what), sets_(sets) {
    app_.set_help_flag();  // Help is an option among others here.
    app_.allow_extras();   // What is left over gets an error with a suggestion.
    for (const OptionSet* set : sets) {
      for (const Option& option : set->options()) Declare(option);
    }
  }

  Status Parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // As CLI11 wants them.
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      if (!status_.ok()) return status_;
      if (const std::string* extra = Unknown()) return Refuse(*extra);
      return InvalidArgument(fmt::format("{}: {}", what_, error.what()), HelpHint());
    }
    if (!status_.ok()) return status_;
    if (const std::string* extra = Unknown()) return Refuse(*extra);
    return OkStatus();
  }

 private:
  void Declare(const Option& option) {
    if (option.kind == Option::Kind::kFlag) {
      app_.add_flag_function(option.names, [this, &option](std::int64_t) { Set(option, ""); });
      return;
    }
    CLI::Option* const declared = app_.add_option(
        option.names, CLI::callback_t([this, &option](const CLI::results_t& values) {
          for (const std::string& value : values) Set(option, value);
          return status_.ok();
        }));
    declared->expected(1)->allow_extra_args(false)->type_name(option.value);
    declared->multi_option_policy(option.kind == Option::Kind::kRepeated
                                      ? CLI::MultiOptionPolicy::TakeAll
                                      : CLI::MultiOptionPolicy::TakeLast);
    declared->required(option.required);
  }

  void Set(const Option& option, std::string_view value) {
    if (!status_.ok()) return;
    status_ = option.set(value).WithContext(option.NameList().back());
  }

  // The first of what CLI11 could not place; options before arguments, because an argument may be
  // the value of an option that does not exist.
  const std::string* Unknown() {
    extras_ = app_.remaining();
    const auto dashed = [](const std::string& extra) { return extra.starts_with('-'); };
    auto found = std::find_if(extras_.begin(), extras_.end(), dashed);
    if (found == extras_.end()) found = extras_.begin();
    return found == extras_.end() ? nullptr : &*found;
  }

  Status Refuse(const std::string& extra) const {
    if (!extra.starts_with('-')) {
      return InvalidArgument(
          fmt::format("{} does not take the argument {}", what_, QuoteForPeople(extra)),
          HelpHint());
    }
    const std::string name = extra.substr(0, extra.find('='));
    std::vector<std::string> names;
    for (const OptionSet* set : sets_) {
      for (const Option& option : set->options()) {
        if (option.kind == Option::Kind::kArgument) continue;
        for (std::string& known : option.NameList()) names.push_back(std::move(known));
      }
    }
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    return InvalidArgument(fmt::format("{} has no option {}", what_, QuoteForPeople(name)),
                           DidYouMean(name, candidates, HelpHint()));
  }

  std::string HelpHint() const { return fmt::format("see {} --help", what_); }

  const std::string what_;
  const std::span<const OptionSet* const> sets_;
  CLI::App app_;
  Status status_;  // The first error of an option's own.
  std::vector<std::string> extras_;
};

}  // namespace

Status ParseArguments(std::string_view what, std::span<const OptionSet* const> sets,
                      const std::vector<std::string>& arguments) {
  return Parser(what, sets).Parse(arguments);
}

}  // namespace cirein
