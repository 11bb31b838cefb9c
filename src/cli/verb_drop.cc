// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "cirein/library.h"

#include "base/text.h"
#include "cli/connect_pool.h"
#include "cli/object_text.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

bool NamesEveryRow(const Pattern& what) { return what.row_is_prefix() && what.row().empty(); }

class DropVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"PATTERN", "", "a key, or which keys, as in row|*, run*|* or run*"},
                         Presence::kRequired, &pattern_);
    options->AddFlag({"--yes", "", "also when the pattern names every row"}, &yes_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const Pattern what, Pattern::ParseText(pattern_));
    if (NamesEveryRow(what) && !yes_) {
      return FailedPrecondition(
          fmt::format("{} names every row of the pool, and a drop cannot be undone",
                      QuoteForPeople(pattern_)),
          "look with cirein list, and give --yes if all of that is to go");
    }
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectNamedPool(pool_, MissingPool::kRefuse));
    const Result<std::uint64_t> dropped = pool.Drop(what);
    if (dropped.code() == StatusCode::kDeadlineExceeded) {
      return WithHint(dropped.status(),
                      "some are gone; give it again to go on, or --set default.deadline=1h");
    }
    CIREIN_RETURN_IF_ERROR(dropped.status());
    Report report("drop", {{"pattern", "pattern"}, {"dropped", "dropped", Report::Type::kCount}});
    report.AddRow({what.ToString(), *dropped});
    context.Print({&report, 1});
    return ExitCode::kOk;
  }

 private:
  std::string pool_;
  std::string pattern_;
  bool yes_ = false;
};

}  // namespace

std::unique_ptr<Verb> MakeDropVerb() { return std::make_unique<DropVerb>(); }

}  // namespace cirein
