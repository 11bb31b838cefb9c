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

Report ObjectReport(const Key& key, const ObjectInfo& info) {
  Report report("object", {{"key", "key"},
                           {"meta_bytes", "meta", Report::Type::kBytes},
                           {"data_bytes", "data", Report::Type::kBytes},
                           {"version", "version"},
                           {"availability", "availability"},
                           {"ttl_ns", "ttl", Report::Type::kDuration}});
  report.AddRow(
      {KeyText(key), info.meta_bytes, info.data_bytes, info.version.ToString(),
       std::string(AvailabilityName(info.availability)),
       info.ttl ? Report::Cell(static_cast<std::uint64_t>(info.ttl->count())) : Report::Cell()});
  return report;
}

Report RowReport(const Pattern& row, const RowInfo& info) {
  Report report("row", {{"row", "row"},
                        {"columns", "columns", Report::Type::kCount},
                        {"has_object", "object without column"},
                        {"user_bytes", "size", Report::Type::kBytes},
                        {"availability", "availability"}});
  report.AddRow({row.RowText(), info.columns, std::string(info.has_object ? "yes" : "no"),
                 info.user_bytes, std::string(AvailabilityName(info.availability))});
  return report;
}

class InfoVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"KEY", "", "row, row|column, or row|* for the row as a whole"},
                         Presence::kRequired, &key_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const Pattern what, Pattern::ParseText(key_));
    const bool is_row = !what.row_is_prefix() && what.column_match() == Pattern::ColumnMatch::kAll;
    if (!what.is_exact() && !is_row) {
      return InvalidArgument(
          fmt::format("info is about one key or one row, not {}", QuoteForPeople(key_)),
          "give row, row|column or row|*; cirein list takes every pattern");
    }
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectNamedPool(pool_, MissingPool::kRefuse));
    const Result<Report> report = is_row ? AskRow(pool, what) : AskObject(pool, what.key());
    if (report.code() == StatusCode::kNotFound) {
      return WithHint(report.status(), "see what is there with cirein list");
    }
    CIREIN_RETURN_IF_ERROR(report.status());
    context.Print({&*report, 1});
    return ExitCode::kOk;
  }

 private:
  static Result<Report> AskRow(const Pool& pool, const Pattern& row) {
    CIREIN_ASSIGN_OR_RETURN(const RowInfo info, pool.RowInfo(Key(row.row())));
    return RowReport(row, info);
  }
  static Result<Report> AskObject(const Pool& pool, const Key& key) {
    CIREIN_ASSIGN_OR_RETURN(const ObjectInfo info, pool.Info(key));
    return ObjectReport(key, info);
  }

  std::string pool_;
  std::string key_;
};

}  // namespace

std::unique_ptr<Verb> MakeInfoVerb() { return std::make_unique<InfoVerb>(); }

}  // namespace cirein
