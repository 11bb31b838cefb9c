// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

#include "cli/option_set.h"

namespace cirein {

/// Sets what `arguments` say. `sets` are the options that may stand there; `what` names the command
/// in errors, such as "cirein blast". Errors (InvalidArgument): an option or argument that does not
/// exist, with the name that was probably meant; one without its value, or missing; and what the
/// options say about their values. Some variables may be set in spite of an error.
Status ParseArguments(std::string_view what, std::span<const OptionSet* const> sets,
                      const std::vector<std::string>& arguments);

}  // namespace cirein
