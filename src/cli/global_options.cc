// SPDX-License-Identifier: Apache-2.0
#include "cli/global_options.h"

#include <fmt/format.h>

#include "base/text.h"
#include "runtime/file.h"

namespace cirein {

void GlobalOptions::Declare(OptionSet* options) {
  options->AddText({"--config", "FILE", "settings in TOML; CIREIN_CONFIG names one too"},
                   &config_file);
  options->AddList({"--set", "NAME=VALUE", "a setting, over file and environment; repeatable"},
                   &settings);
  options->AddChoice({"--log-level", "LEVEL", "the least severe log lines on standard error"},
                     {"trace", "debug", "info", "warn", "error", "off"}, "",
                     [this](std::string_view word) {
                       log_level = word;
                       return OkStatus();
                     });
  options->AddChoice({"-o,--output", "FORMAT", "the form of the data on standard output"},
                     {"table", "json", "csv"}, "table", [this](std::string_view word) -> Status {
                       CIREIN_ASSIGN_OR_RETURN(output, ParseOutputFormat(word));
                       return OkStatus();
                     });
  options->AddFlag({"--no-color", "", "no colours and nothing animated; as NO_COLOR and TERM=dumb"},
                   &no_color);
  options->AddFlag({"-h,--help", "", "this help"}, &help);
  options->AddFlag({"--version", "", "the version, as `cirein version`"}, &version);
}

std::optional<std::string> FindVariable(std::span<const std::string> environment,
                                        std::string_view name) {
  for (const std::string& variable : environment) {
    if (variable.size() > name.size() && variable.starts_with(name) &&
        variable[name.size()] == '=') {
      return variable.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

Status AddTomlFile(const std::string& path, Config* config) {
  CIREIN_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, Config::kMaxTomlBytes));
  return config->AddToml(text, path);
}

Result<Config> LoadConfig(const GlobalOptions& options, std::span<const std::string> environment) {
  Config config;
  std::optional<std::string> file = options.config_file;
  if (!file) file = FindVariable(environment, "CIREIN_CONFIG");
  if (file && !file->empty()) CIREIN_RETURN_IF_ERROR(AddTomlFile(*file, &config));
  CIREIN_RETURN_IF_ERROR(config.AddEnvironment(environment));
  for (const std::string& setting : options.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      return InvalidArgument(fmt::format("--set {} has no value", QuoteForPeople(setting)),
                             "write it as --set memory.limit=8GiB");
    }
    CIREIN_RETURN_IF_ERROR(
        config.Set(setting.substr(0, equals), setting.substr(equals + 1), "--set"));
  }
  if (options.log_level) {
    CIREIN_RETURN_IF_ERROR(config.Set("log.level", *options.log_level, "--log-level"));
  }
  return config;
}

}  // namespace cirein
