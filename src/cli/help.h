// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/verb_table.h"

namespace cirein {

/// What `cirein --help` prints.
std::string CommandHelp();
/// What `cirein help VERB` prints: usage, options, examples, exit codes.
std::string VerbHelp(const VerbEntry& entry);
/// The same for all verbs as a part of a Markdown page.
std::string VerbsMarkdown();

/// The options of one verb, and those that every verb takes, for looking at only.
std::vector<Option> OptionsOf(const VerbEntry& entry);
std::vector<Option> OptionsOfEveryVerb();

}  // namespace cirein
