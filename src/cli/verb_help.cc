// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>

#include "cli/help.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

class HelpVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddArgument({"VERB", "", "the verb to explain"}, OptionSet::Presence::kOptional,
                         &verb_);
    options->AddFlag({"--markdown", "", "everything, as a part of a Markdown page"}, &markdown_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    if (markdown_) {
      context.console.Write(VerbsMarkdown());
    } else if (verb_) {
      CIREIN_ASSIGN_OR_RETURN(const VerbEntry* entry, FindVerb(*verb_));
      context.console.Write(VerbHelp(*entry));
    } else {
      context.console.Write(CommandHelp());
    }
    return ExitCode::kOk;
  }

 private:
  std::optional<std::string> verb_;
  bool markdown_ = false;
};

}  // namespace

std::unique_ptr<Verb> MakeHelpVerb() { return std::make_unique<HelpVerb>(); }

}  // namespace cirein
