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

#include <absl/container/flat_hash_set.h>

#include "resp/hash_handlers.h"
#include "resp/keyspace.h"
#include "resp/number.h"
#include "resp/option_word.h"
#include "resp/random_draw.h"

namespace cirein::resp {
namespace {

using Ranks = std::vector<std::uint64_t>;

// So many fields are drawn at most where one may come again: Redis would make any number of them,
// until it is out of memory.
constexpr std::uint64_t kMaxDrawn = std::uint64_t{1} << 20;

// `count` different numbers below `bound`, ascending (Floyd's way).
Ranks DrawDifferent(Random& random, std::uint64_t bound, std::uint64_t count) {
  Ranks ranks;
  ranks.reserve(count);
  absl::flat_hash_set<std::uint64_t> drawn;
  for (std::uint64_t next = bound - count; next < bound; ++next) {
    const std::uint64_t rank = random.Below(next + 1);
    ranks.push_back(drawn.insert(rank).second ? rank : next);
    drawn.insert(ranks.back());
  }
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

// The fields that stand at these ranks, which ascend and differ. When fields have expired since
// they were counted there are fewer.
Result<std::vector<std::string>> FieldsAt(DataCall& call, const KeyView& row, const Ranks& ranks) {
  std::vector<std::string> fields;
  fields.reserve(ranks.size());
  std::uint64_t rank = 0;
  const auto pick = [&](const KeyView& key, const StoredObject&) {
    if (!key.has_column) return true;
    if (rank++ == ranks[fields.size()]) fields.emplace_back(key.column);
    return fields.size() < ranks.size();
  };
  CIREIN_RETURN_IF_ERROR(call.transaction.WalkRow(row, Load::kSizes, pick));
  return fields;
}

// Fields that all differ, as many as there are at most.
Result<std::vector<std::string>> DrawFields(DataCall& call, const KeyView& row,
                                            std::uint64_t fields, std::uint64_t count) {
  return FieldsAt(call, row,
                  DrawDifferent(Draw(call.transaction), fields, std::min(count, fields)));
}

// Fields drawn one by one, each from all of them.
Result<std::vector<std::string>> DrawAgain(DataCall& call, const KeyView& row, std::uint64_t fields,
                                           std::uint64_t count) {
  Ranks drawn(count);
  for (std::uint64_t& rank : drawn) rank = Draw(call.transaction).Below(fields);
  Ranks ranks = drawn;
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  CIREIN_ASSIGN_OR_RETURN(const std::vector<std::string> picked, FieldsAt(call, row, ranks));
  std::vector<std::string> again;
  if (picked.empty()) return again;
  again.reserve(drawn.size());
  for (const std::uint64_t rank : drawn) {
    const auto at = static_cast<std::size_t>(std::lower_bound(ranks.begin(), ranks.end(), rank) -
                                             ranks.begin());
    again.push_back(picked[std::min(at, picked.size() - 1)]);
  }
  return again;
}

Status ReplyWithValues(DataCall& call, const KeyView& row, const std::vector<std::string>& fields) {
  std::vector<std::pair<std::string_view, DataObject>> pairs;
  pairs.reserve(fields.size());
  for (const std::string& field : fields) {
    StoredObject found;
    CIREIN_ASSIGN_OR_RETURN(const bool there, FindField(call, row, field, Load::kObject, found));
    if (there) pairs.emplace_back(field, std::move(found.object));
  }
  const bool nested = call.reply.protocol() == Protocol::kResp3;
  call.reply.Array(nested ? pairs.size() : 2 * pairs.size());
  for (const auto& [field, value] : pairs) {
    if (nested) call.reply.Array(2);
    call.reply.Bulk(field);
    call.reply.Bulk(value);
  }
  return OkStatus();
}

// What follows the key.
struct DrawOptions {
  std::int64_t count = 0;  // Negative: a field may come again.
  bool with_values = false;

  std::uint64_t magnitude() const { return static_cast<std::uint64_t>(count < 0 ? -count : count); }
};

// False: the reply is an error.
bool ReadDrawOptions(DataCall& call, DrawOptions& options) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  constexpr std::size_t kCount = 2;
  constexpr std::size_t kWithValues = 3;
  const std::optional<std::int64_t> count = ParseInteger(call.arg(kCount));
  if (!count) {
    call.reply.Error(kNotAnInteger);
    return false;
  }
  if (*count < -kMax) {
    call.reply.Error(
        "ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807");
    return false;
  }
  options.count = *count;
  options.with_values = call.args.size() > kWithValues;
  if (call.args.size() > kWithValues + 1 ||
      (options.with_values && !IsOption(call.arg(kWithValues), "withvalues"))) {
    call.reply.Error(kSyntaxError);
    return false;
  }
  if (options.with_values && options.magnitude() > static_cast<std::uint64_t>(kMax / 2)) {
    call.reply.Error("ERR value is out of range");
    return false;
  }
  return true;
}

Status DrawOne(DataCall& call) {
  const KeyView row = call.row(1);
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  if (!right_type) return OkStatus();
  std::vector<std::string> fields;
  if (hash.exists()) {
    CIREIN_ASSIGN_OR_RETURN(fields, DrawFields(call, row, hash.row.columns, 1));
  }
  if (fields.empty()) {
    call.reply.Null();
  } else {
    call.reply.Bulk(fields.front());
  }
  return OkStatus();
}

}  // namespace

Status HRandField(DataCall& call) {
  if (call.args.size() == 2) return DrawOne(call);
  DrawOptions options;
  if (!ReadDrawOptions(call, options)) return OkStatus();
  const KeyView row = call.row(1);
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  if (!right_type) return OkStatus();
  if (!hash.exists() || options.count == 0) {
    call.reply.Array(0);
    return OkStatus();
  }
  if (options.count < 0 && options.magnitude() > kMaxDrawn) {
    call.reply.Error("ERR value is out of range");
    return OkStatus();
  }
  const auto draw = options.count < 0 ? DrawAgain : DrawFields;
  CIREIN_ASSIGN_OR_RETURN(const std::vector<std::string> fields,
                          draw(call, row, hash.row.columns, options.magnitude()));
  if (options.with_values) return ReplyWithValues(call, row, fields);
  call.reply.Array(fields.size());
  for (const std::string& field : fields) call.reply.Bulk(field);
  return OkStatus();
}

}  // namespace cirein::resp
