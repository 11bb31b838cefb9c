// SPDX-License-Identifier: Apache-2.0
#include "resp/cirein_arguments.h"

#include <charconv>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "resp/option_word.h"

namespace cirein::resp {
namespace {

std::int64_t TtlMs(const ObjectInfo& info) {
  if (!info.ttl) return -1;
  return std::chrono::ceil<std::chrono::milliseconds>(*info.ttl).count();
}

}  // namespace

bool Selection::Take(Args args, std::size_t* at) {
  using Match = Pattern::ColumnMatch;
  const std::string_view word = args[*at].text();
  const bool has_value = *at + 1 < args.size();
  if (IsWord(word, "prefix")) {
    is_prefix_ = true;
  } else if (IsWord(word, "all")) {
    match_ = Match::kAll;
  } else if (has_value && IsWord(word, "column")) {
    match_ = Match::kExact;
    column_ = args[++*at].text();
  } else if (has_value && IsWord(word, "columns")) {
    match_ = Match::kPrefix;
    column_ = args[++*at].text();
  } else {
    return false;
  }
  ++*at;
  return true;
}

Result<Pattern> Selection::ToPattern(Bucket bucket) const {
  using Match = Pattern::ColumnMatch;
  // What stands for the columns is the same for one row and for many.
  const std::string row(is_prefix_ ? "r" : row_);
  const std::string column(column_);
  Pattern pattern;
  switch (match_) {
    case Match::kNone:
      pattern = Key(row);
      break;
    case Match::kExact:
      pattern = Key(row, column);
      break;
    case Match::kPrefix:
      pattern = Pattern::ColumnPrefix(row, column);
      break;
    case Match::kAll:
      pattern = Pattern::Row(row);
      break;
  }
  if (is_prefix_) {
    const std::string rows = row_.empty() ? "*" : Pattern(Key(std::string(row_))).RowText() + "*";
    const auto columns = pattern.ColumnText();
    CIREIN_ASSIGN_OR_RETURN(pattern,
                            columns ? Pattern::Parse(rows, *columns) : Pattern::Parse(rows));
  }
  pattern.set_bucket(bucket);
  CIREIN_RETURN_IF_ERROR(pattern.Validate());
  return pattern;
}

Result<Key> Selection::ToKey() const {
  if (is_prefix_ || match_ == Pattern::ColumnMatch::kAll ||
      match_ == Pattern::ColumnMatch::kPrefix) {
    return InvalidArgument("one object is asked for", "give a row, or a row and COLUMN column");
  }
  Key key = match_ == Pattern::ColumnMatch::kNone ? Key(std::string(row_))
                                                  : Key(std::string(row_), std::string(column_));
  CIREIN_RETURN_IF_ERROR(key.Validate());
  return key;
}

std::optional<Version> ParseVersion(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto parse = [](std::string_view digits, std::uint64_t* number) {
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), *number);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  Version version;
  if (!parse(text.substr(0, dot), &version.epoch) ||
      !parse(text.substr(dot + 1), &version.counter)) {
    return std::nullopt;
  }
  return version;
}

void WriteObject(ReplyWriter& reply, const NamedObject& object) {
  reply.Map(7);
  reply.Bulk("row");
  reply.Bulk(object.key.row());
  reply.Bulk("column");
  if (object.key.has_column()) {
    reply.Bulk(object.key.column());
  } else {
    reply.Null();
  }
  reply.Bulk("data");
  reply.Bulk(object.object);
  reply.Bulk("meta");
  reply.Bulk(object.object.meta_text());
  reply.Bulk("type");
  reply.Integer(object.object.type());
  reply.Bulk("version");
  reply.Bulk(object.info.version.ToString());
  reply.Bulk("ttl-ms");
  reply.Integer(TtlMs(object.info));
}

void WriteInfo(ReplyWriter& reply, const ObjectInfo& info) {
  reply.Map(5);
  reply.Bulk("version");
  reply.Bulk(info.version.ToString());
  reply.Bulk("meta-bytes");
  reply.Integer(static_cast<std::int64_t>(info.meta_bytes));
  reply.Bulk("data-bytes");
  reply.Integer(static_cast<std::int64_t>(info.data_bytes));
  reply.Bulk("ttl-ms");
  reply.Integer(TtlMs(info));
  reply.Bulk("availability");
  reply.Bulk(AvailabilityName(info.availability));
}

void WriteNativeError(ReplyWriter& reply, const Status& status) {
  const std::string_view code = StatusCodeName(status.code());
  reply.Error(status.hint().empty()
                  ? fmt::format("{} {}", code, status.message())
                  : fmt::format("{} {} ({})", code, status.message(), status.hint()));
}

}  // namespace cirein::resp
