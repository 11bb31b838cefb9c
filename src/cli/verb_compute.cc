// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cirein/compute.h"
#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/object_bytes.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

class ComputeVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"PATTERN", "", "objects of one row: row|*, row|a*, row|column or row"},
                         Presence::kRequired, &pattern_);
    DeclareFunction(options);
    options->AddArgument({"ARGS", "", "what the function takes"}, Presence::kOptional, &args_);
    options->AddText({"--to", "FILE", "write to it, whole or not at all [standard output]"},
                     &file_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const Pattern what, Pattern::ParseText(pattern_));
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectNamedPool(pool_, MissingPool::kRefuse));
    CIREIN_ASSIGN_OR_RETURN(const DataObject result, pool.Compute(what, function_, args_));
    CIREIN_RETURN_IF_ERROR(WriteBytes(result.data(), file_, context.console));
    return ExitCode::kOk;
  }

 private:
  // The functions are choices for help and completion only: the pool knows what it can run.
  void DeclareFunction(OptionSet* options) {
    Option function;
    function.kind = Option::Kind::kArgument;
    function.names = "FUNCTION";
    function.help = "what to run";
    function.required = true;
    function.choices = ComputeFunctionNames();
    function.set = [this](std::string_view name) {
      function_ = name;
      return OkStatus();
    };
    options->Add(std::move(function));
  }

  std::string pool_;
  std::string pattern_;
  std::string function_;
  std::string args_;
  std::optional<std::string> file_;
};

}  // namespace

std::unique_ptr<Verb> MakeComputeVerb() { return std::make_unique<ComputeVerb>(); }

}  // namespace cirein
