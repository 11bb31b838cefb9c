// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cirein/config.h"
#include "cirein/status.h"

#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/global_options.h"
#include "cli/option_set.h"
#include "cli/report.h"

namespace cirein {

/// What a verb finds around it.
struct VerbContext {
  Console& console;
  const GlobalOptions& options;
  std::span<const std::string> environment;

  /// The settings; loaded only when asked, so that `help` works with a broken file.
  Result<Config> LoadConfig() const { return cirein::LoadConfig(options, environment); }
  /// Prints data in the form that --output asks for.
  void Print(std::span<const Report> reports) const;
  /// The same form for a report that is printed part by part.
  ReportStream Stream() const;
};

/// A verb of the command, such as `blast`: made for one run, given its options, run once.
class Verb {
 public:
  virtual ~Verb() = default;
  /// Adds its options, tied to its own members.
  virtual void Declare(OptionSet* options) = 0;
  /// Does it. An error is printed by the caller and decides the exit code.
  virtual Result<ExitCode> Run(const VerbContext& context) = 0;
};

}  // namespace cirein
