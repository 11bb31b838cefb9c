// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_reader.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "base/units.h"
#include "runtime/file.h"

namespace cirein {
namespace {

// Takes the first line, without its end, off the text.
std::string_view NextLine(std::string_view* text) {
  const std::size_t end = text->find('\n');
  std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool IsRecord(std::string_view line) { return !line.empty() && !line.starts_with('#'); }

/// Follows the groups of publishes through a trace: the lines of one stand together.
class GroupCheck {
 public:
  Status Add(const TraceRecord& record) {
    const std::uint32_t awaited = std::exchange(awaited_, record.group_left);
    if (awaited_ != 0) --awaited_;
    if (awaited == 0 || record.group_left == awaited) return OkStatus();
    return InvalidArgument(fmt::format("the line before has a group go on, to group={}", awaited),
                           "the lines of a group stand together and count down to group=1");
  }
  Status End() const {
    if (awaited_ == 0) return OkStatus();
    return InvalidArgument(fmt::format("the trace ends before group={} of a group", awaited_),
                           "the lines of a group count down to group=1");
  }

 private:
  std::uint32_t awaited_ = 0;  // group= of the next line; 0: none has to follow.
};

Status BadLines(const std::string& name, const std::vector<std::string>& errors,
                std::uint64_t error_count) {
  std::string message =
      fmt::format("{} has bad lines; nothing was played\n  {}", name, fmt::join(errors, "\n  "));
  if (error_count > errors.size()) {
    message += fmt::format("\n  and {} more", error_count - errors.size());
  }
  return InvalidArgument(std::move(message), "mend these lines, or record the trace again");
}

}  // namespace

Result<TraceReader> TraceReader::Open(const std::string& path) {
  CIREIN_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxFileBytes));
  return FromText(std::move(text), path);
}

Result<TraceReader> TraceReader::FromText(std::string text, const std::string& name) {
  TraceReader reader(std::move(text));
  std::string_view rest = reader.text_;
  if (NextLine(&rest) != kTraceHeader) {
    return InvalidArgument(fmt::format("{}:1: this is no trace of Cirein", name),
                           fmt::format("its first line must be {}", QuoteForPeople(kTraceHeader)));
  }
  std::vector<std::string> errors;
  std::uint64_t error_count = 0;
  const auto note = [&](std::uint64_t number, const Status& status) {
    if (status.ok() || ++error_count > kMaxErrors) return;
    errors.push_back(fmt::format("{}:{}: {} ({})", name, number, status.message(), status.hint()));
  };
  GroupCheck groups;
  std::uint64_t number = 2;
  for (; !rest.empty(); ++number) {
    const std::string_view line = NextLine(&rest);
    if (line.starts_with(kTraceBegan)) {
      const auto began = ParseDuration(line.substr(kTraceBegan.size()));
      note(number, began.status());
      if (began.ok()) reader.began_ = *began;
    }
    if (!IsRecord(line)) continue;
    const Result<TraceRecord> record = TraceRecord::Parse(line);
    if (record.ok()) ++reader.count_;
    note(number, record.ok() ? groups.Add(*record) : record.status());
  }
  note(number, groups.End());
  if (error_count > 0) return BadLines(name, errors, error_count);
  return reader;
}

Status TraceReader::ForEach(const std::function<Status(const TraceRecord&)>& visit) const {
  std::string_view rest = text_;
  NextLine(&rest);
  while (!rest.empty()) {
    const std::string_view line = NextLine(&rest);
    if (!IsRecord(line)) continue;
    CIREIN_ASSIGN_OR_RETURN(const TraceRecord record, TraceRecord::Parse(line));
    CIREIN_RETURN_IF_ERROR(visit(record));
  }
  return OkStatus();
}

}  // namespace cirein
