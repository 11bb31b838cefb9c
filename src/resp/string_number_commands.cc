// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "resp/command.h"
#include "resp/keyspace.h"
#include "resp/number.h"
#include "resp/string_handlers.h"

namespace cirein::resp {
namespace {

// Puts a number's text under the key, whose expiry stays.
Status PutNumber(DataCall& call, const KeyView& row, const FoundKey& found, std::string_view text) {
  CIREIN_ASSIGN_OR_RETURN(DataObject value, DataObject::FromString(text));
  PutString(call.transaction, row, found, std::move(value), found.expiry_ms);
  return OkStatus();
}

Status Add(DataCall& call, std::int64_t addend) {
  const KeyView row = call.row(1);
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kValue, found));
  if (!RequireNoHash(found, call.reply)) return OkStatus();
  const std::optional<std::int64_t> old = found.exists() ? ParseInteger(found.text()) : 0;
  if (!old) {
    call.reply.Error(kNotAnInteger);
    return OkStatus();
  }
  std::int64_t sum = 0;
  if (__builtin_add_overflow(*old, addend, &sum)) {
    call.reply.Error("ERR increment or decrement would overflow");
    return OkStatus();
  }
  if (!RequireStorable(row.row, call.reply)) return OkStatus();
  IntegerText text;
  CIREIN_RETURN_IF_ERROR(PutNumber(call, row, found, FormatInteger(sum, text)));
  call.reply.Integer(sum);
  return OkStatus();
}

}  // namespace

Status Incr(DataCall& call) { return Add(call, 1); }

Status Decr(DataCall& call) { return Add(call, -1); }

Status IncrBy(DataCall& call) {
  const std::optional<std::int64_t> addend = ParseInteger(call.arg(2));
  if (addend) return Add(call, *addend);
  call.reply.Error(kNotAnInteger);
  return OkStatus();
}

Status DecrBy(DataCall& call) {
  const std::optional<std::int64_t> subtrahend = ParseInteger(call.arg(2));
  if (!subtrahend) {
    call.reply.Error(kNotAnInteger);
  } else if (*subtrahend == std::numeric_limits<std::int64_t>::min()) {
    call.reply.Error("ERR decrement would overflow");
  } else {
    return Add(call, -*subtrahend);
  }
  return OkStatus();
}

Status IncrByFloat(DataCall& call) {
  const KeyView row = call.row(1);
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kValue, found));
  if (!RequireNoHash(found, call.reply)) return OkStatus();
  const std::optional<long double> old = found.exists() ? ParseFloat(found.text()) : 0.0L;
  const std::optional<long double> addend = ParseFloat(call.arg(2));
  if (!old || !addend) {
    call.reply.Error(kNotAFloat);
    return OkStatus();
  }
  const long double sum = *old + *addend;
  if (!std::isfinite(sum)) {
    call.reply.Error("ERR increment would produce NaN or Infinity");
    return OkStatus();
  }
  if (!RequireStorable(row.row, call.reply)) return OkStatus();
  FloatText buffer;
  const std::string_view text = FormatFloat(sum, buffer);
  CIREIN_RETURN_IF_ERROR(PutNumber(call, row, found, text));
  call.reply.Bulk(text);
  return OkStatus();
}

}  // namespace cirein::resp
