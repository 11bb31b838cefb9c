// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <optional>
#include <string>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/object_bytes.h"
#include "cli/object_text.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

class NeedVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"KEY", "", "row or row|column"}, Presence::kRequired, &key_);
    options->AddDuration({"--timeout", "TIME", "wait so long at most [default.deadline]"},
                         &timeout_);
    options->AddText({"--to", "FILE", "write to it, whole or not at all [standard output]"},
                     &file_);
    options->AddFlag({"--meta", "", "write the meta instead of the data"}, &meta_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const Key key, ParseKeyText(key_));
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectNamedPool(pool_, MissingPool::kRefuse));
    NeedOptions options;
    if (timeout_) options.deadline = *timeout_;
    CIREIN_ASSIGN_OR_RETURN(const DataObject object, pool.Need(key, options));
    CIREIN_RETURN_IF_ERROR(
        WriteBytes(meta_ ? object.meta() : object.data(), file_, context.console));
    return ExitCode::kOk;
  }

 private:
  std::string pool_;
  std::string key_;
  std::optional<std::chrono::nanoseconds> timeout_;
  std::optional<std::string> file_;
  bool meta_ = false;
};

}  // namespace

std::unique_ptr<Verb> MakeNeedVerb() { return std::make_unique<NeedVerb>(); }

}  // namespace cirein
