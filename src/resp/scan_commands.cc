// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/glob.h"
#include "resp/key_handlers.h"
#include "resp/keyspace.h"
#include "resp/option_word.h"
#include "resp/random_draw.h"
#include "resp/scan_options.h"

namespace cirein::resp {
namespace {

// So many rows are asked for at a time.
constexpr std::uint64_t kPageRows = 1024;

using RowName = Engine::RowName;
using RowPage = Engine::RowPage;

// The rows whose names can match a glob; all without one.
Pattern RowsOf(Bucket bucket, std::optional<std::string_view> glob) {
  Pattern pattern =
      Pattern::RowPrefix(glob && !GlobIsAll(*glob) ? GlobPrefix(*glob) : std::string());
  pattern.set_bucket(bucket);
  return pattern;
}

// Rows may name one that has just expired.
Result<KeyType> TypeOf(DataCall& call, std::string_view name) {
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, KeyView(call.bucket, name), Look::kType, found));
  return found.type;
}

// Calls visit(RowName&) -> Status with every row that `rows` matches.
template <typename Visit>
Status EachRow(DataCall& call, const Pattern& rows, const Visit& visit) {
  std::optional<RowName> from = RowName{};
  while (from) {
    CIREIN_ASSIGN_OR_RETURN(RowPage page, call.transaction.Rows(*from, rows, kPageRows));
    for (RowName& row : page.rows) CIREIN_RETURN_IF_ERROR(visit(row));
    from = std::move(page.next);
  }
  return OkStatus();
}

void ReplyNames(ReplyWriter& reply, const std::vector<std::string>& names) {
  reply.Array(names.size());
  for (const std::string& name : names) reply.Bulk(name);
}

// One answer to SCAN.
struct ScanPage {
  std::vector<RowName> rows;
  std::uint64_t cursor = 0;
};

// Rows of one place are answered together, because a cursor cannot tell them apart.
Result<ScanPage> ReadScanPage(DataCall& call, const Pattern& rows, std::uint64_t cursor,
                              std::uint64_t count) {
  ScanPage answer;
  RowName from;
  from.place = cursor;
  for (std::uint64_t looked_at = 0; looked_at < count || from.place == cursor;) {
    const std::uint64_t left = count > looked_at ? count - looked_at : 1;
    const auto max_rows = static_cast<std::size_t>(std::min(left, kPageRows));
    CIREIN_ASSIGN_OR_RETURN(RowPage page, call.transaction.Rows(from, rows, max_rows));
    // A page that ends with its partition may have looked at few rows, or at none.
    const bool whole = page.next && page.next->name.empty();
    looked_at += whole ? page.rows.size() : max_rows;
    for (RowName& row : page.rows) answer.rows.push_back(std::move(row));
    if (!page.next) return answer;
    from = std::move(*page.next);
  }
  while (!answer.rows.empty() && answer.rows.back().place == from.place) answer.rows.pop_back();
  answer.cursor = from.place;
  return answer;
}

// The first key of a page that is there, from a row drawn among them.
Result<std::optional<std::string>> PickKey(DataCall& call, RowPage& page) {
  const std::size_t rows = page.rows.size();
  const std::size_t first = static_cast<std::size_t>(Draw(call.transaction).Below(rows));
  for (std::size_t i = 0; i < rows; ++i) {
    std::string& name = page.rows[(first + i) % rows].name;
    CIREIN_ASSIGN_OR_RETURN(const KeyType type, TypeOf(call, name));
    if (type != KeyType::kNone) return std::optional<std::string>(std::move(name));
  }
  return std::optional<std::string>();
}

// About what dropping a row writes besides its name.
constexpr std::uint64_t kDropBytes = 80;
// So that a transaction ends some time.
constexpr std::uint64_t kMostGroupBytes = std::uint64_t{1} << 20;
constexpr std::size_t kDropPageRows = 64;

}  // namespace

Status Keys(DataCall& call) {
  const std::string_view glob = call.arg(1);
  std::vector<std::string> names;
  const auto visit = [&](RowName& row) -> Status {
    if (!GlobIsAll(glob) && !GlobMatches(glob, row.name)) return OkStatus();
    CIREIN_ASSIGN_OR_RETURN(const KeyType type, TypeOf(call, row.name));
    if (type != KeyType::kNone) names.push_back(std::move(row.name));
    return OkStatus();
  };
  CIREIN_RETURN_IF_ERROR(EachRow(call, RowsOf(call.bucket, glob), visit));
  ReplyNames(call.reply, names);
  return OkStatus();
}

Status Scan(DataCall& call) {
  std::uint64_t cursor = 0;
  ScanOptions options;
  if (!ReadCursor(call, 1, cursor)) return OkStatus();
  if (!ReadScanOptions(call, 2, ScanKind::kKeys, options)) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(
      ScanPage page, ReadScanPage(call, RowsOf(call.bucket, options.match), cursor, options.count));
  std::vector<std::string> names;
  for (RowName& row : page.rows) {
    if (!options.Matches(row.name)) continue;
    CIREIN_ASSIGN_OR_RETURN(const KeyType type, TypeOf(call, row.name));
    if (type == KeyType::kNone) continue;
    if (options.type && !IsOption(*options.type, TypeName(type))) continue;
    names.push_back(std::move(row.name));
  }
  ReplyCursor(call.reply, page.cursor);
  ReplyNames(call.reply, names);
  return OkStatus();
}

Status RandomKey(DataCall& call) {
  constexpr std::size_t kDrawnRows = 16;
  const Pattern rows = RowsOf(call.bucket, std::nullopt);
  RowName start;
  start.place = Draw(call.transaction)();
  // To the end, and then round to where it began and beyond.
  for (RowName from : {start, RowName{}}) {
    while (true) {
      CIREIN_ASSIGN_OR_RETURN(RowPage page, call.transaction.Rows(from, rows, kDrawnRows));
      if (!page.rows.empty()) {
        CIREIN_ASSIGN_OR_RETURN(const std::optional<std::string> name, PickKey(call, page));
        if (name) {
          call.reply.Bulk(*name);
          return OkStatus();
        }
      }
      if (!page.next) break;
      from = std::move(*page.next);
    }
  }
  call.reply.Null();
  return OkStatus();
}

Status DbSize(DataCall& call) {
  std::int64_t keys = 0;
  const auto visit = [&](RowName& row) -> Status {
    CIREIN_ASSIGN_OR_RETURN(const KeyType type, TypeOf(call, row.name));
    if (type != KeyType::kNone) ++keys;
    return OkStatus();
  };
  CIREIN_RETURN_IF_ERROR(EachRow(call, RowsOf(call.bucket, std::nullopt), visit));
  call.reply.Integer(keys);
  return OkStatus();
}

Result<std::optional<RowName>> DropSomeRows(Transaction& transaction, Bucket bucket,
                                            const RowName& from, std::uint64_t group_bytes) {
  const std::uint64_t most_bytes = std::min(group_bytes, kMostGroupBytes);
  const Pattern rows = RowsOf(bucket, std::nullopt);
  // All are looked for first: a transaction with many changes looks for rows slowly.
  struct Dropped {
    std::string_view name;
    bool is_object = false;  // And nothing else: that is smaller in the log and in the index.
  };
  std::vector<Dropped> found;
  std::uint64_t bytes = 0;
  std::optional<RowName> next = from;
  while (next && bytes < most_bytes) {
    CIREIN_ASSIGN_OR_RETURN(RowPage page, transaction.Rows(*next, rows, kDropPageRows));
    next = std::move(page.next);
    for (RowName& row : page.rows) {
      bytes += kDropBytes + row.name.size();
      if (bytes > most_bytes && !found.empty()) {
        next = std::move(row);
        break;
      }
      const std::string_view name = transaction.Keep(row.name);
      CIREIN_ASSIGN_OR_RETURN(const RowState state, transaction.GetRow(KeyView(bucket, name)));
      found.push_back({name, state.has_object && state.columns == 0 && state.expiry_ms == 0});
    }
  }
  for (const Dropped& each : found) {
    const KeyView row(bucket, each.name);
    if (each.is_object) {
      transaction.Drop(row);
    } else {
      transaction.DropRow(row);
    }
  }
  return next;
}

// ASYNC and SYNC are the same: what is dropped is freed later.
Status Flush(DataCall& call) {
  const bool known =
      call.args.size() == 1 ||
      (call.args.size() == 2 && (IsOption(call.arg(1), "async") || IsOption(call.arg(1), "sync")));
  if (!known) {
    call.reply.Error(kSyntaxError);
    return OkStatus();
  }
  CIREIN_ASSIGN_OR_RETURN(const auto rest,
                          DropSomeRows(call.transaction, call.bucket, RowName{}, call.group_bytes));
  if (rest) {
    return Aborted("more keys than one transaction can drop", "flush outside of MULTI");
  }
  call.reply.Ok();
  return OkStatus();
}

}  // namespace cirein::resp
