// SPDX-License-Identifier: Apache-2.0
#include "simulation/history.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/fatal.h"
#include "base/text.h"

namespace cirein::simulation {
namespace {

std::string VersionText(const std::optional<Version>& version) {
  return version ? " @" + version->ToString() : "";
}

std::string ModeText(WriteMode mode, Version if_version) {
  switch (mode) {
    case WriteMode::kOnce:
      return "once";
    case WriteMode::kOverwrite:
      return "overwrite";
    case WriteMode::kIfVersion:
      return "if @" + if_version.ToString();
  }
  return "?";
}

std::string TtlText(const std::optional<std::chrono::nanoseconds>& ttl) {
  return ttl ? " ttl " + TimeText(*ttl) : "";
}

std::string GroupText(const GroupCall& group) {
  std::string text = "group";
  for (const GroupItem& item : group.items) {
    text += fmt::format(" {}=#{}", ColumnText(item.column), item.value);
  }
  return text + " " + ModeText(group.mode, {}) + TtlText(group.ttl);
}

std::string DropText(const DropCall& drop) {
  switch (drop.match) {
    case Pattern::ColumnMatch::kNone:
      return "drop " + ColumnText(std::nullopt);
    case Pattern::ColumnMatch::kExact:
      return "drop " + ColumnText(drop.column);
    case Pattern::ColumnMatch::kPrefix:
      return "drop " + ColumnText(drop.column) + "*";
    case Pattern::ColumnMatch::kAll:
      return "drop the row";
  }
  return "?";
}

std::string CallText(const Call& call) {
  return std::visit(
      Overloaded{[](const PublishCall& publish) {
                   return fmt::format("publish {}=#{} {}{}", ColumnText(publish.column),
                                      publish.value, ModeText(publish.mode, publish.if_version),
                                      TtlText(publish.ttl));
                 },
                 [](const GroupCall& group) { return GroupText(group); },
                 [](const GetCall& get) { return "get " + ColumnText(get.column); },
                 [](const DropCall& drop) { return DropText(drop); },
                 [](const InfoCall& info) { return "info " + ColumnText(info.column); },
                 [](const RowInfoCall&) { return std::string("row info"); }},
      call);
}

std::string PublishedText(const Published& published) {
  std::string text = "published";
  for (const Version& version : published.versions) text += " @" + version.ToString();
  return text;
}

std::string OutcomeText(const Outcome& outcome) {
  return std::visit(
      Overloaded{
          [](const Published& published) { return PublishedText(published); },
          [](const Existed&) { return std::string("exists already"); },
          [](const VersionDiffered&) { return std::string("the version differs"); },
          [](const Got& got) {
            return got.value == kNoValue
                       ? std::string("nothing")
                       : fmt::format("#{}{}", got.value, VersionText(got.version));
          },
          [](const DroppedObjects& dropped) { return fmt::format("dropped {}", dropped.count); },
          [](const DroppedUncounted&) { return std::string("dropped"); },
          [](const InfoSeen& info) {
            return info.version == Version{} ? "nothing" : "@" + info.version.ToString();
          },
          [](const RowSeen& row) {
            return fmt::format("{} columns, {} object without", row.columns,
                               row.has_object ? "an" : "no");
          },
          [](const Refused&) { return std::string("refused, without effect"); }},
      outcome);
}

}  // namespace

std::string ColumnText(const Column& column) { return column ? QuoteForPeople(*column) : "(none)"; }

std::string TimeText(TimePoint time) {
  if (time == kEndOfTime) return "never";
  const std::int64_t ns = time.count();
  const std::uint64_t size =
      ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  return fmt::format("{}{}.{:06}ms", ns < 0 ? "-" : "", size / 1'000'000, size % 1'000'000);
}

std::string Record::ToString() const {
  const std::string head = fmt::format(
      "operation {} client {} [{} .. {}] {}: {} -> ", id, client.number, TimeText(invoked.time),
      outcome || completed != kNever ? TimeText(completed.time) : std::string("?"),
      QuoteForPeople(row), CallText(call));
  return head + (outcome ? OutcomeText(*outcome) : "unknown");
}

void History::ClaimValues(const Call& call) {
  const auto claim = [this](ValueId value) {
    if (value == kNoValue || value == ~ValueId{0}) Fatal("a history was given a write of no value");
    if (!values_.insert(value).second) {
      Fatal(fmt::format("a history was given two writes of value #{}", value));
    }
  };
  if (const auto* const publish = std::get_if<PublishCall>(&call)) claim(publish->value);
  if (const auto* const group = std::get_if<GroupCall>(&call)) {
    for (const GroupItem& item : group->items) claim(item.value);
  }
}

OperationId History::Begin(ClientId client, std::string row, Call call, TimePoint invoked) {
  ClaimValues(call);
  const OperationId id = records_.size();
  records_.push_back({.id = id,
                      .client = client,
                      .row = std::move(row),
                      .call = std::move(call),
                      .invoked = {invoked, next_event_++}});
  closed_.push_back(false);
  return id;
}

Record& History::Open(OperationId id) {
  if (id >= records_.size()) Fatal(fmt::format("a history has no operation {} to end", id));
  if (closed_[id]) Fatal("a history was told twice: " + records_[id].ToString());
  closed_[id] = true;
  return records_[id];
}

void History::End(OperationId id, Outcome outcome, TimePoint completed) {
  Record& record = Open(id);
  if (completed < record.invoked.time) Fatal("ended before it began: " + record.ToString());
  record.outcome = std::move(outcome);
  record.completed = {completed, next_event_++};
}

void History::Unknown(OperationId id, std::optional<TimePoint> latest) {
  Record& record = Open(id);
  if (latest) record.completed = LastOf(std::max(*latest, record.invoked.time));
}

void History::LimitUnknown(const std::vector<TimePoint>& ends) {
  for (Record& record : records_) {
    if (record.outcome) continue;
    const auto end = std::upper_bound(ends.begin(), ends.end(), record.invoked.time);
    if (end != ends.end()) record.completed = std::min(record.completed, LastOf(*end));
  }
}

OperationId History::Observed(ClientId client, std::string row, const Column& column, Got seen,
                              Interval interval) {
  const OperationId id = Begin(client, std::move(row), GetCall{column}, interval.from);
  End(id, seen, interval.to);
  records_[id].invoked = FirstOf(interval.from);
  records_[id].completed = LastOf(interval.to);
  return id;
}

std::map<std::string, std::vector<Record>> History::ByRow() const {
  std::map<std::string, std::vector<Record>> rows;
  for (const Record& record : records_) rows[record.row].push_back(record);
  for (auto& [row, records] : rows) {
    std::stable_sort(records.begin(), records.end(),
                     [](const Record& a, const Record& b) { return a.invoked < b.invoked; });
  }
  return rows;
}

std::string LinesOf(std::vector<Record> records) {
  std::stable_sort(records.begin(), records.end(),
                   [](const Record& a, const Record& b) { return a.invoked < b.invoked; });
  std::string lines;
  for (const Record& record : records) lines += record.ToString() + "\n";
  return lines;
}

std::string History::ToString() const { return LinesOf(records_); }

}  // namespace cirein::simulation
