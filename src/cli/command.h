// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "cli/console.h"
#include "cli/exit_code.h"

namespace cirein {

/// The command `cirein` as a function: `arguments` are those after the program's name,
/// `environment` is a list of NAME=VALUE. Everything it says goes to `console`; blocks until done.
ExitCode RunCommand(std::span<const std::string> arguments,
                    std::span<const std::string> environment, Console& console);

/// Do the arguments or the environment (NO_COLOR, TERM=dumb) ask for plain text?
bool AsksForPlainText(std::span<const std::string> arguments,
                      std::span<const std::string> environment);

}  // namespace cirein
