// SPDX-License-Identifier: Apache-2.0
#include "pool/trace_record.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"

namespace cirein {
namespace {

using Fields = std::map<std::string_view, std::string, std::less<>>;

constexpr std::array<std::string_view, 8> kVerbs = {"publish", "want",    "need", "drop",
                                                    "info",    "rowinfo", "list", "compute"};
constexpr std::array<std::string_view, 12> kFieldNames = {
    "row",        "column", "meta",      "data", "overwrite", "ttl",
    "if_version", "group",  "page_size", "next", "function",  "args"};
constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;

std::string_view NextWord(std::string_view& rest) {
  const std::size_t start = std::min(rest.find_first_not_of(' '), rest.size());
  const std::size_t end = std::min(rest.find(' ', start), rest.size());
  const std::string_view word = rest.substr(start, end - start);
  rest.remove_prefix(end);
  return word;
}

Result<Fields> ParseFields(std::string_view rest) {
  Fields fields;
  for (std::string_view word = NextWord(rest); !word.empty(); word = NextWord(rest)) {
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    if (equals == std::string_view::npos ||
        std::find(kFieldNames.begin(), kFieldNames.end(), name) == kFieldNames.end()) {
      return InvalidArgument(fmt::format("{} is no field of a trace", QuoteForPeople(word)),
                             DidYouMean(name, kFieldNames, "fields are NAME=VALUE"));
    }
    CIREIN_ASSIGN_OR_RETURN(std::string value, PercentDecode(word.substr(equals + 1)));
    if (!fields.emplace(name, std::move(value)).second) {
      return InvalidArgument(fmt::format("the field {} stands twice", name), "leave one out");
    }
  }
  return fields;
}

const std::string* Find(const Fields& fields, std::string_view name) {
  const auto field = fields.find(name);
  return field == fields.end() ? nullptr : &field->second;
}

Result<std::uint64_t> NumberOf(const Fields& fields, std::string_view name) {
  const std::string* text = Find(fields, name);
  return text == nullptr ? Result<std::uint64_t>(0) : ParseUint64(*text);
}

// For fields that say only that something was given. False when the field is not there.
Result<bool> HasMark(const Fields& fields, std::string_view name, std::string_view mark) {
  const std::string* text = Find(fields, name);
  if (text == nullptr) return false;
  if (*text == mark) return true;
  return InvalidArgument(fmt::format("{}= takes {} only", name, mark), "or leave it out");
}

Result<Pattern> PatternOf(const Fields& fields) {
  const std::string* row = Find(fields, "row");
  const std::string* column = Find(fields, "column");
  if (row == nullptr) return InvalidArgument("the request names no row", "give row=");
  return column == nullptr ? Pattern::Parse(*row) : Pattern::Parse(*row, *column);
}

bool TakesPattern(TraceRecord::Verb verb) {
  using Verb = TraceRecord::Verb;
  return verb == Verb::kWant || verb == Verb::kDrop || verb == Verb::kList ||
         verb == Verb::kCompute;
}

std::string PatternFields(const Pattern& pattern) {
  std::string text = " row=" + PercentEncode(pattern.RowText());
  if (const std::optional<std::string> column = pattern.ColumnText()) {
    text += " column=" + PercentEncode(*column);
  }
  return text;
}

Status FillGroup(const Fields& fields, TraceRecord& record) {
  if (Find(fields, "group") == nullptr) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t left, NumberOf(fields, "group"));
  if (left < 1 || left > kMaxGroupItems) {
    return InvalidArgument(fmt::format("a group cannot have {} objects left", left),
                           fmt::format("give 1 to {}", kMaxGroupItems));
  }
  if (record.condition != TraceRecord::Condition::kNone) {
    return InvalidArgument("one of a group is bound to no version", "leave out if_version=");
  }
  record.group_left = static_cast<std::uint32_t>(left);
  return OkStatus();
}

Status FillPublish(const Fields& fields, TraceRecord& record) {
  CIREIN_ASSIGN_OR_RETURN(record.meta_bytes, NumberOf(fields, "meta"));
  CIREIN_ASSIGN_OR_RETURN(record.data_bytes, NumberOf(fields, "data"));
  if (const std::string* overwrite = Find(fields, "overwrite")) {
    if (*overwrite != "yes" && *overwrite != "no") {
      return InvalidArgument("overwrite= takes yes or no", "leave it out for the pool's default");
    }
    record.overwrite = *overwrite == "yes" ? Overwrite::kYes : Overwrite::kNo;
  }
  if (const std::string* ttl = Find(fields, "ttl")) {
    CIREIN_ASSIGN_OR_RETURN(record.ttl, ParseDuration(*ttl));
  }
  CIREIN_ASSIGN_OR_RETURN(const bool if_version, HasMark(fields, "if_version", "any"));
  if (if_version) record.condition = TraceRecord::Condition::kIfVersion;
  return FillGroup(fields, record);
}

Status FillList(const Fields& fields, TraceRecord& record) {
  if (Find(fields, "page_size") != nullptr) {
    CIREIN_ASSIGN_OR_RETURN(const std::uint64_t size, NumberOf(fields, "page_size"));
    if (size < 1 || size > ListOptions::kMaxPageSize) {
      return InvalidArgument(fmt::format("a page cannot have {} objects", size),
                             fmt::format("give 1 to {}", ListOptions::kMaxPageSize));
    }
    record.page_size = static_cast<std::uint32_t>(size);
  }
  CIREIN_ASSIGN_OR_RETURN(const bool next, HasMark(fields, "next", "yes"));
  if (next) record.page = TraceRecord::Page::kNext;
  return OkStatus();
}

}  // namespace

std::string_view TraceVerbName(TraceRecord::Verb verb) {
  return kVerbs[static_cast<std::size_t>(verb)];
}

std::string TraceRecord::ToString() const {
  std::string line = fmt::format("{}ns {}", delay.count(), TraceVerbName(verb));
  line += PatternFields(pattern);
  if (verb == Verb::kPublish) {
    line += fmt::format(" meta={} data={}", meta_bytes, data_bytes);
    if (overwrite != Overwrite::kPoolDefault) {
      line += overwrite == Overwrite::kYes ? " overwrite=yes" : " overwrite=no";
    }
    if (ttl) line += " ttl=" + FormatDuration(*ttl);
    if (condition == Condition::kIfVersion) line += " if_version=any";
    if (group_left != 0) line += fmt::format(" group={}", group_left);
  }
  if (verb == Verb::kList) {
    line += fmt::format(" page_size={}", page_size);
    if (page == Page::kNext) line += " next=yes";
  }
  if (verb == Verb::kCompute) {
    line += " function=" + PercentEncode(function);
    if (!args.empty()) line += " args=" + PercentEncode(args);
  }
  return line;
}

Result<TraceRecord> TraceRecord::Parse(std::string_view line) {
  if (line.size() > kMaxLineBytes) {
    return InvalidArgument(fmt::format("a line of {} bytes is too long", line.size()),
                           fmt::format("lines have at most {} bytes", kMaxLineBytes));
  }
  TraceRecord record;
  CIREIN_ASSIGN_OR_RETURN(record.delay, ParseDuration(NextWord(line)));
  const std::string_view verb = NextWord(line);
  const auto known = std::find(kVerbs.begin(), kVerbs.end(), verb);
  if (known == kVerbs.end()) {
    return InvalidArgument(fmt::format("{} is no request", QuoteForPeople(verb)),
                           DidYouMean(verb, kVerbs, "the time comes first, then the request"));
  }
  record.verb = static_cast<Verb>(known - kVerbs.begin());
  CIREIN_ASSIGN_OR_RETURN(const Fields fields, ParseFields(line));
  CIREIN_ASSIGN_OR_RETURN(record.pattern, PatternOf(fields));
  if (!TakesPattern(record.verb) && !record.pattern.is_exact()) {
    return InvalidArgument(fmt::format("{} takes one key, not a pattern", verb),
                           "give row=, and column= if it has one");
  }
  if (record.verb == Verb::kPublish) CIREIN_RETURN_IF_ERROR(FillPublish(fields, record));
  if (record.verb == Verb::kList) CIREIN_RETURN_IF_ERROR(FillList(fields, record));
  if (const std::string* function = Find(fields, "function")) record.function = *function;
  if (const std::string* args = Find(fields, "args")) record.args = *args;
  return record;
}

}  // namespace cirein
