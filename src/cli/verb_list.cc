// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/object_text.h"
#include "cli/verb_table.h"
#include "runtime/interrupt_flag.h"

namespace cirein {
namespace {

class ListVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"PATTERN", "", "which keys, as in row|*, run*|* or run*"},
                         Presence::kOptional, &pattern_);
    options->AddNumber({"--limit", "N", "end after this many keys"}, {1, UINT64_MAX}, &limit_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const Pattern what, Pattern::ParseText(pattern_));
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectNamedPool(pool_, MissingPool::kRefuse));
    return PrintPages(context, pool, what);
  }

 private:
  // No more than one page is held, however long the list is.
  Result<ExitCode> PrintPages(const VerbContext& context, const Pool& pool, const Pattern& what) {
    const InterruptFlag& interrupt = InterruptFlag::Install();
    ReportStream stream = context.Stream();
    std::uint64_t left = limit_.value_or(UINT64_MAX);
    ListOptions options;
    do {
      options.page_size =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(left, ListOptions::kDefaultPageSize));
      CIREIN_ASSIGN_OR_RETURN(ListPage page, pool.List(what, options));
      context.console.Write(stream.Part(PageReport(page)));
      CIREIN_RETURN_IF_ERROR(context.console.Flush());
      if (context.console.reader_gone()) return ExitCode::kOk;
      left -= std::min<std::uint64_t>(left, page.objects.size());
      options.cursor = std::move(page.next);
    } while (left > 0 && !options.cursor.empty() && !interrupt.IsSet());
    context.console.Write(stream.End());
    if (!interrupt.IsSet()) return ExitCode::kOk;
    context.console.Tell("cirein: interrupted; these are not all\n");
    return ExitCode::kPartial;
  }

  static Report PageReport(const ListPage& page) {
    using Type = Report::Type;
    Report report("objects", {{"key", "key"},
                              {"meta_bytes", "meta", Type::kBytes},
                              {"data_bytes", "data", Type::kBytes},
                              {"version", "version"}});
    for (const ListedObject& object : page.objects) {
      report.AddRow(
          {KeyText(object.key), object.meta_bytes, object.data_bytes, object.version.ToString()});
    }
    return report;
  }

  std::string pool_;
  std::string pattern_ = Pattern::RowPrefix("").ToString();
  std::optional<std::uint64_t> limit_;
};

}  // namespace

std::unique_ptr<Verb> MakeListVerb() { return std::make_unique<ListVerb>(); }

}  // namespace cirein
