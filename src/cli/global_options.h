// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cirein/config.h"
#include "cirein/status.h"

#include "cli/option_set.h"
#include "cli/report.h"

namespace cirein {

/// The options that every verb takes.
struct GlobalOptions {
  std::optional<std::string> config_file;
  std::vector<std::string> settings;  ///< NAME=VALUE.
  std::optional<std::string> log_level;
  OutputFormat output = OutputFormat::kTable;
  bool no_color = false;
  bool help = false;
  bool version = false;

  /// Adds them to a set, which then refers to this object.
  void Declare(OptionSet* options);
};

/// The settings: defaults, then the file of --config or CIREIN_CONFIG, then the environment, then
/// --set and --log-level. Errors: those of Config and of reading the file.
Result<Config> LoadConfig(const GlobalOptions& options, std::span<const std::string> environment);

/// The value of a variable in a list of NAME=VALUE, or nothing.
std::optional<std::string> FindVariable(std::span<const std::string> environment,
                                        std::string_view name);

/// Adds the settings of a TOML file. Blocks; errors of ReadFile and Config::AddToml.
Status AddTomlFile(const std::string& path, Config* config);

}  // namespace cirein
