// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/help.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

// Options of all kinds but arguments, as words; each once.
std::string OptionWords(const std::vector<Option>& options) {
  std::vector<std::string> words;
  for (const Option& option : options) {
    if (option.kind == Option::Kind::kArgument) continue;
    for (std::string& name : option.NameList()) words.push_back(std::move(name));
  }
  return fmt::format("{}", fmt::join(words, " "));
}

bool TakesFile(const Option& option) {
  return option.value == "FILE" || option.names == "FILE" || option.names == "DIR" ||
         option.names == "POOL";
}

// What bash does for the word behind an option that takes a value.
std::string ValueCase(const Option& option, std::string_view verb) {
  std::string patterns;
  for (const std::string& name : option.NameList()) {
    patterns += fmt::format("{}{}:{}", patterns.empty() ? "" : "|", verb, name);
  }
  std::string words;
  if (!option.choices.empty()) {
    words =
        fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$word\"))", fmt::join(option.choices, " "));
  } else if (TakesFile(option)) {
    words = "compopt -o default; COMPREPLY=()";
  } else {
    words = "COMPREPLY=()";
  }
  return fmt::format("    {}) {}; return ;;\n", patterns, words);
}

std::string ValueCases(const std::vector<Option>& options, std::string_view verb) {
  std::string cases;
  for (const Option& option : options) {
    const bool takes_value =
        option.kind == Option::Kind::kValue || option.kind == Option::Kind::kRepeated;
    if (takes_value) cases += ValueCase(option, verb);
  }
  return cases;
}

// Words that may stand where the verb takes an argument, besides options.
std::string ArgumentWords(const VerbEntry& entry, const std::vector<Option>& options) {
  if (entry.name == "help") {
    std::vector<std::string_view> verbs;
    for (const VerbEntry& other : Verbs()) verbs.push_back(other.name);
    return fmt::format("{}", fmt::join(verbs, " "));
  }
  std::vector<std::string> words;
  for (const Option& option : options) {
    if (option.kind != Option::Kind::kArgument) continue;
    words.insert(words.end(), option.choices.begin(), option.choices.end());
  }
  return fmt::format("{}", fmt::join(words, " "));
}

std::string VerbCase(const VerbEntry& entry) {
  const std::vector<Option> options = OptionsOf(entry);
  std::string line = fmt::format("    {}) words=\"{} {}\"", entry.name,
                                 ArgumentWords(entry, options), OptionWords(options));
  if (std::any_of(options.begin(), options.end(), TakesFile)) line += "; compopt -o default";
  return line + " ;;\n";
}

std::string BashCompletion() {
  const std::vector<Option> globals = OptionsOfEveryVerb();
  std::vector<std::string_view> verbs;
  std::string value_cases;
  std::string verb_cases;
  for (const VerbEntry& entry : Verbs()) {
    verbs.push_back(entry.name);
    value_cases += ValueCases(OptionsOf(entry), entry.name);
    verb_cases += VerbCase(entry);
  }
  value_cases += ValueCases(globals, "*");
  return fmt::format(
      "# Completion of cirein for bash.\n"
      "_cirein() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}\n"
      "  local verbs=\"{0}\" verb= words= i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \" $verbs \" in *\" ${{COMP_WORDS[i]}} \"*) verb=${{COMP_WORDS[i]}}; break ;; "
      "esac\n"
      "  done\n"
      "  case \"$verb:$before\" in\n{1}  esac\n"
      "  case \"$verb\" in\n{2}    *) words=$verbs ;;\n  esac\n"
      "  COMPREPLY=($(compgen -W \"$words {3}\" -- \"$word\"))\n"
      "}}\n"
      "complete -F _cirein cirein\n",
      fmt::join(verbs, " "), value_cases, verb_cases, OptionWords(globals));
}

class CompletionVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddChoiceArgument({"SHELL", "", "for which shell"}, {"bash"}, "bash",
                               [](std::string_view) { return OkStatus(); });
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    context.console.Write(BashCompletion());
    return ExitCode::kOk;
  }
};

}  // namespace

std::unique_ptr<Verb> MakeCompletionVerb() { return std::make_unique<CompletionVerb>(); }

}  // namespace cirein
