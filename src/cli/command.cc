// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backing/backing_stores.h"
#include "cli/argument_parser.h"
#include "cli/help.h"
#include "cli/verb_table.h"
#include "resp/server_pool.h"

namespace cirein {
namespace {

// Where the verb stands among the arguments: the first that is neither an option of every verb nor
// the value of one.
std::optional<std::size_t> VerbPlace(std::span<const std::string> arguments,
                                     const OptionSet& globals) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].starts_with('-')) return i;
    const Option* const option = globals.Find(arguments[i]);
    if (option != nullptr && option->kind != Option::Kind::kFlag) ++i;
  }
  return std::nullopt;
}

class Command {
 public:
  Command(std::span<const std::string> environment, Console& console)
      : environment_(environment), console_(console) {
    options_.Declare(&globals_);
  }

  Result<ExitCode> Run(std::span<const std::string> arguments) {
    const std::optional<std::size_t> place = VerbPlace(arguments, globals_);
    if (!place) return RunWithoutVerb({arguments.begin(), arguments.end()});
    const Result<const VerbEntry*> entry = FindVerb(arguments[*place]);
    if (!entry.ok()) {
      // It may be the value of an option that does not exist.
      const std::array<const OptionSet*, 1> sets = {&globals_};
      const auto before = arguments.first(*place);
      CIREIN_RETURN_IF_ERROR(ParseArguments("cirein", sets, {before.begin(), before.end()}));
      return entry.status();
    }
    std::vector<std::string> rest(arguments.begin(), arguments.end());
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(*place));
    return RunVerb(**entry, rest);
  }

 private:
  Result<ExitCode> RunWithoutVerb(const std::vector<std::string>& arguments) {
    const std::array<const OptionSet*, 1> sets = {&globals_};
    CIREIN_RETURN_IF_ERROR(ParseArguments("cirein", sets, arguments));
    if (options_.version) {
      CIREIN_ASSIGN_OR_RETURN(const VerbEntry* entry, FindVerb("version"));
      return RunVerb(*entry, {});
    }
    if (options_.help) {
      console_.Write(CommandHelp());
      return ExitCode::kOk;
    }
    console_.Tell(CommandHelp());
    return ExitCode::kUsage;
  }

  Result<ExitCode> RunVerb(const VerbEntry& entry, const std::vector<std::string>& arguments) {
    if (AsksForHelp(arguments)) {
      console_.Write(VerbHelp(entry));
      return ExitCode::kOk;
    }
    const std::unique_ptr<Verb> verb = entry.make();
    OptionSet own;
    verb->Declare(&own);
    const std::array<const OptionSet*, 2> sets = {&own, &globals_};
    CIREIN_RETURN_IF_ERROR(ParseArguments(fmt::format("cirein {}", entry.name), sets, arguments));
    return verb->Run({console_, options_, environment_});
  }

  // Help helps also with arguments that could not be taken.
  static bool AsksForHelp(const std::vector<std::string>& arguments) {
    return std::any_of(arguments.begin(), arguments.end(), [](const std::string& argument) {
      return argument == "--help" || argument == "-h";
    });
  }

  const std::span<const std::string> environment_;
  Console& console_;
  GlobalOptions options_;
  OptionSet globals_;
};

}  // namespace

ExitCode RunCommand(std::span<const std::string> arguments,
                    std::span<const std::string> environment, Console& console) {
  resp::RegisterServerPoolType();
  backing::RegisterBackingStores();
  Result<ExitCode> result = Internal("nothing was run");
  try {
    result = Command(environment, console).Run(arguments);
  } catch (const std::exception& error) {
    result = Internal(fmt::format("unexpected: {}", error.what()));
  }
  const ExitCode code = result.ok() ? *result : ExitCodeOf(result.status());
  if (!result.ok()) console.Tell(ErrorText(result.status(), console));
  if (const Status flushed = console.Flush(); !flushed.ok()) {
    console.Tell(ErrorText(flushed, console));
    return code == ExitCode::kOk ? ExitCodeOf(flushed) : code;
  }
  return code;
}

bool AsksForPlainText(std::span<const std::string> arguments,
                      std::span<const std::string> environment) {
  const std::optional<std::string> no_color = FindVariable(environment, "NO_COLOR");
  if (no_color && !no_color->empty()) return true;
  if (FindVariable(environment, "TERM").value_or("") == "dumb") return true;
  return std::find(arguments.begin(), arguments.end(), "--no-color") != arguments.end();
}

}  // namespace cirein
