// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/object_bytes.h"
#include "cli/object_text.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

// What is there now. A Need alone would wait for what is not.
Result<DataObject> Get(const Pool& pool, const Key& key) {
  CIREIN_RETURN_IF_ERROR(pool.Info(key).status());
  Result<DataObject> object = pool.Need(key);
  if (object.code() != StatusCode::kDeadlineExceeded) return object;
  // It may have gone in between, and then that is the reason.
  CIREIN_RETURN_IF_ERROR(pool.Info(key).status());
  return object;
}

class GetVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"KEY", "", "row or row|column"}, Presence::kRequired, &key_);
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
    const Result<DataObject> object = Get(pool, key);
    if (object.code() == StatusCode::kNotFound) {
      return WithHint(object.status(), "see what is there with cirein list");
    }
    CIREIN_RETURN_IF_ERROR(object.status());
    CIREIN_RETURN_IF_ERROR(
        WriteBytes(meta_ ? object->meta() : object->data(), file_, context.console));
    return ExitCode::kOk;
  }

 private:
  std::string pool_;
  std::string key_;
  std::optional<std::string> file_;
  bool meta_ = false;
};

}  // namespace

std::unique_ptr<Verb> MakeGetVerb() { return std::make_unique<GetVerb>(); }

}  // namespace cirein
