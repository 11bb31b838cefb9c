// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

bool IsBare(ConfigKey::Type type) {
  return type == ConfigKey::Type::kBool || type == ConfigKey::Type::kInteger;
}

// A file in which every setting stands as a comment with its default.
std::string ExampleToml() {
  std::string text =
      "# Settings of Cirein. Take the '#' from a line to change the setting.\n"
      "# Later ones win: this file, the environment (CIREIN_MEMORY_LIMIT), --set on the command "
      "line.\n";
  const auto add = [&text](const ConfigKey& key, std::string_view name) {
    const std::string value =
        IsBare(key.type) ? std::string(key.default_value) : JsonString(key.default_value);
    text +=
        fmt::format("# {} Takes {}.\n# {} = {}\n", key.description, key.constraint, name, value);
  };
  // What stands in no table stands before all of them.
  text += "\n";
  for (const ConfigKey& key : Config::Keys()) {
    if (key.name.find('.') == std::string_view::npos) add(key, key.name);
  }
  std::string section;
  for (const ConfigKey& key : Config::Keys()) {
    const std::size_t dot = key.name.rfind('.');
    if (dot == std::string_view::npos) continue;
    const std::string_view table = key.name.substr(0, dot);
    if (table != section) {
      section = table;
      text += fmt::format("\n[{}]\n", section);
    }
    add(key, key.name.substr(dot + 1));
  }
  return text;
}

class ConfigVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddChoiceArgument({"ACTION", "", "what to do"}, {"show", "check", "example"}, action_,
                               [this](std::string_view word) {
                                 action_ = word;
                                 return OkStatus();
                               });
    options->AddArgument({"FILE", "", "the file to check"}, OptionSet::Presence::kOptional, &file_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    if (action_ == "check") return Check(context);
    if (file_) {
      return InvalidArgument(fmt::format("config {} takes no file", QuoteForPeople(action_)),
                             "give cirein config check FILE, or --config FILE");
    }
    if (action_ == "show") return Show(context);
    if (context.options.output != OutputFormat::kTable) {
      return InvalidArgument("config example writes TOML only",
                             "leave out --output, or give cirein config show");
    }
    context.console.Write(ExampleToml());
    return ExitCode::kOk;
  }

 private:
  static Result<ExitCode> Show(const VerbContext& context) {
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    Report report("settings", {{"setting", "setting"},
                               {"value", "value"},
                               {"default", "default"},
                               {"origin", "origin"},
                               {"takes", "takes"},
                               {"description", "meaning"}});
    for (const ConfigKey& key : Config::Keys()) {
      report.AddRow({std::string(key.name), config.GetText(key.name),
                     std::string(key.default_value), config.Origin(key.name),
                     std::string(key.constraint), std::string(key.description)});
    }
    context.Print({&report, 1});
    return ExitCode::kOk;
  }

  Result<ExitCode> Check(const VerbContext& context) const {
    if (!file_) {
      return InvalidArgument("config check needs a file", "give cirein config check FILE");
    }
    Config config;
    CIREIN_RETURN_IF_ERROR(AddTomlFile(*file_, &config));
    Report report("settings", {{"setting", "setting"}, {"value", "value"}, {"origin", "origin"}});
    for (const ConfigKey& key : Config::Keys()) {
      std::string origin = config.Origin(key.name);
      if (origin == "default") continue;
      report.AddRow({std::string(key.name), config.GetText(key.name), std::move(origin)});
    }
    context.Print({&report, 1});
    context.console.Tell(fmt::format("cirein: {} is good\n", *file_));
    return ExitCode::kOk;
  }

  std::string action_ = "show";
  std::optional<std::string> file_;
};

}  // namespace

std::unique_ptr<Verb> MakeConfigVerb() { return std::make_unique<ConfigVerb>(); }

}  // namespace cirein
