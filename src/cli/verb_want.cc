// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/object_text.h"
#include "cli/verb_table.h"
#include "runtime/notification.h"

namespace cirein {
namespace {

// Waits for the answer, which comes on another thread.
Result<NamedObject> WaitFor(const Pool& pool, const Pattern& what, const WantOptions& options) {
  struct Answer {
    Notification arrived;
    std::optional<Result<NamedObject>> object;
  };
  const auto answer = std::make_shared<Answer>();
  pool.Want(
      what,
      [answer](Result<NamedObject> object) {
        answer->object = std::move(object);
        answer->arrived.Notify();
      },
      options);
  answer->arrived.WaitUntil(kEndOfTime);
  return std::move(*answer->object);
}

class WantVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"PATTERN", "", "which objects: row, row|column, row|a*, row|*, run*|*"},
                         Presence::kRequired, &pattern_);
    options->AddDuration({"--timeout", "TIME", "wait so long at most [default.deadline]"},
                         &timeout_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const Pattern what, Pattern::ParseText(pattern_));
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectNamedPool(pool_, MissingPool::kRefuse));
    WantOptions options;
    if (timeout_) options.deadline = *timeout_;
    CIREIN_ASSIGN_OR_RETURN(const NamedObject object, WaitFor(pool, what, options));
    const Report report = WantReport(object);
    context.Print({&report, 1});
    return ExitCode::kOk;
  }

 private:
  static Report WantReport(const NamedObject& object) {
    using Type = Report::Type;
    Report report("object", {{"key", "key"},
                             {"meta_bytes", "meta", Type::kBytes},
                             {"data_bytes", "data", Type::kBytes},
                             {"version", "version"}});
    report.AddRow({KeyText(object.key), object.info.meta_bytes, object.info.data_bytes,
                   object.info.version.ToString()});
    return report;
  }

  std::string pool_;
  std::string pattern_;
  std::optional<std::chrono::nanoseconds> timeout_;
};

}  // namespace

std::unique_ptr<Verb> MakeWantVerb() { return std::make_unique<WantVerb>(); }

}  // namespace cirein
