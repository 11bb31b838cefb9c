// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <absl/container/inlined_vector.h>
#include <fmt/format.h>

#include "resp/command.h"
#include "resp/keyspace.h"
#include "resp/string_handlers.h"

namespace cirein::resp {
namespace {

constexpr KeyArguments kOneKey{.first = 1, .last = 1, .step = 1};
constexpr KeyArguments kTwoKeys{.first = 1, .last = 2, .step = 1};
constexpr KeyArguments kAllKeys{.first = 1, .last = -1, .step = 1};
constexpr KeyArguments kPairs{.first = 1, .last = -1, .step = 2};

Status Get(DataCall& call) {
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(1), Look::kValue, found));
  ReplyString(found, call.reply);
  return OkStatus();
}

Status GetDel(DataCall& call) {
  const KeyView row = call.row(1);
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kValue, found));
  if (ReplyString(found, call.reply)) DeleteKey(call.transaction, row, found);
  return OkStatus();
}

Status GetSet(DataCall& call) {
  const KeyView row = call.row(1);
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kValue, found));
  if (!RequireNoHash(found, call.reply)) return OkStatus();
  if (!RequireStorable(row.row, call.reply)) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(DataObject value, call.args[2].ToObject());
  PutString(call.transaction, row, found, std::move(value), 0);
  ReplyString(found, call.reply);
  return OkStatus();
}

Status MGet(DataCall& call) {
  call.reply.Array(call.args.size() - 1);
  FoundKey found;
  for (std::size_t i = 1; i < call.args.size(); ++i) {
    CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(i), Look::kValue, found));
    if (found.type == KeyType::kString) {
      call.reply.Bulk(found.string.object);
    } else {
      call.reply.Null();
    }
  }
  return OkStatus();
}

// False when it replied.
bool RequirePairs(DataCall& call, std::string_view command) {
  if (call.args.size() % 2 == 1) return true;
  call.reply.Error(fmt::format("ERR wrong number of arguments for '{}' command", command));
  return false;
}

// The pairs of key and value; all that is looked at is looked at before anything is changed.
Status PutPairs(DataCall& call) {
  // Those where more than an object must give way.
  absl::InlinedVector<std::pair<std::size_t, FoundKey>, 1> others;
  FoundKey found;
  for (std::size_t i = 1; i < call.args.size(); i += 2) {
    CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(i), Look::kType, found));
    if (found.row.columns != 0 || found.row.expiry_ms != 0) others.emplace_back(i, found);
  }
  for (const auto& [i, other] : others) DeleteKey(call.transaction, call.row(i), other);
  for (std::size_t i = 1; i < call.args.size(); i += 2) {
    CIREIN_ASSIGN_OR_RETURN(DataObject value, call.args[i + 1].ToObject());
    call.transaction.Put(call.row(i), std::move(value));
  }
  return OkStatus();
}

bool RequireStorableKeys(DataCall& call) {
  for (std::size_t i = 1; i < call.args.size(); i += 2) {
    if (!RequireStorable(call.arg(i), call.reply)) return false;
  }
  return true;
}

Status MSet(DataCall& call) {
  if (!RequirePairs(call, "mset") || !RequireStorableKeys(call)) return OkStatus();
  CIREIN_RETURN_IF_ERROR(PutPairs(call));
  call.reply.Ok();
  return OkStatus();
}

Status MSetNx(DataCall& call) {
  if (!RequirePairs(call, "msetnx")) return OkStatus();
  FoundKey found;
  for (std::size_t i = 1; i < call.args.size(); i += 2) {
    CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(i), Look::kType, found));
    if (found.exists()) {
      call.reply.Integer(0);
      return OkStatus();
    }
  }
  if (!RequireStorableKeys(call)) return OkStatus();
  CIREIN_RETURN_IF_ERROR(PutPairs(call));
  call.reply.Integer(1);
  return OkStatus();
}

}  // namespace

std::span<const CommandSpec> StringCommands() {
  static const CommandSpec kCommands[] = {
      {.name = "append",
       .arity = 3,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "2.0.0",
       .summary = "Adds bytes at the end of a string",
       .syntax = "key value",
       .data = Append},
      {.name = "decr",
       .arity = 2,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "1.0.0",
       .summary = "Takes one from an integer",
       .syntax = "key",
       .data = Decr},
      {.name = "decrby",
       .arity = 3,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "1.0.0",
       .summary = "Takes an amount from an integer",
       .syntax = "key decrement",
       .data = DecrBy},
      {.name = "get",
       .arity = 2,
       .flags = kReadOnly | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "1.0.0",
       .summary = "Gives a string",
       .syntax = "key",
       .data = Get},
      {.name = "getdel",
       .arity = 2,
       .flags = kWrite | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "6.2.0",
       .summary = "Gives a string and deletes its key",
       .syntax = "key",
       .data = GetDel},
      {.name = "getex",
       .arity = -2,
       .flags = kWrite | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "6.2.0",
       .summary = "Gives a string and changes the expiry of its key",
       .syntax = "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT "
                 "unix-time-milliseconds | PERSIST]",
       .data = GetEx},
      {.name = "getrange",
       .arity = 4,
       .flags = kReadOnly,
       .keys = kOneKey,
       .group = "string",
       .since = "2.4.0",
       .summary = "Gives a part of a string",
       .syntax = "key start end",
       .data = GetRange},
      {.name = "getset",
       .arity = 3,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "1.0.0",
       .summary = "Sets a string and gives the one before it",
       .syntax = "key value",
       .data = GetSet},
      {.name = "incr",
       .arity = 2,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "1.0.0",
       .summary = "Adds one to an integer",
       .syntax = "key",
       .data = Incr},
      {.name = "incrby",
       .arity = 3,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "1.0.0",
       .summary = "Adds an amount to an integer",
       .syntax = "key increment",
       .data = IncrBy},
      {.name = "incrbyfloat",
       .arity = 3,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "2.6.0",
       .summary = "Adds an amount to a floating-point number",
       .syntax = "key increment",
       .data = IncrByFloat},
      {.name = "lcs",
       .arity = -3,
       .flags = kReadOnly,
       .keys = kTwoKeys,
       .group = "string",
       .since = "7.0.0",
       .summary = "Finds the longest common subsequence of two strings",
       .syntax = "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
       .data = Lcs},
      {.name = "mget",
       .arity = -2,
       .flags = kReadOnly | kFast,
       .keys = kAllKeys,
       .group = "string",
       .since = "1.0.0",
       .summary = "Gives the strings of several keys",
       .syntax = "key [key ...]",
       .data = MGet},
      {.name = "mset",
       .arity = -3,
       .flags = kWrite | kDenyOom,
       .keys = kPairs,
       .group = "string",
       .since = "1.0.1",
       .summary = "Sets the strings of several keys, all or none",
       .syntax = "key value [key value ...]",
       .data = MSet},
      {.name = "msetnx",
       .arity = -3,
       .flags = kWrite | kDenyOom,
       .keys = kPairs,
       .group = "string",
       .since = "1.0.1",
       .summary = "Sets the strings of several keys if none of them is there",
       .syntax = "key value [key value ...]",
       .data = MSetNx},
      {.name = "psetex",
       .arity = 4,
       .flags = kWrite | kDenyOom,
       .keys = kOneKey,
       .group = "string",
       .since = "2.6.0",
       .summary = "Sets a string and when it expires, in milliseconds",
       .syntax = "key milliseconds value",
       .data = PSetEx},
      {.name = "set",
       .arity = -3,
       .flags = kWrite | kDenyOom,
       .keys = kOneKey,
       .group = "string",
       .since = "1.0.0",
       .summary = "Sets a string",
       .syntax = "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds "
                 "| PXAT unix-time-milliseconds | KEEPTTL]",
       .data = Set},
      {.name = "setex",
       .arity = 4,
       .flags = kWrite | kDenyOom,
       .keys = kOneKey,
       .group = "string",
       .since = "2.0.0",
       .summary = "Sets a string and when it expires, in seconds",
       .syntax = "key seconds value",
       .data = SetEx},
      {.name = "setnx",
       .arity = 3,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "1.0.0",
       .summary = "Sets a string if its key is not there",
       .syntax = "key value",
       .data = SetNx},
      {.name = "setrange",
       .arity = 4,
       .flags = kWrite | kDenyOom,
       .keys = kOneKey,
       .group = "string",
       .since = "2.2.0",
       .summary = "Writes over a part of a string",
       .syntax = "key offset value",
       .data = SetRange},
      {.name = "strlen",
       .arity = 2,
       .flags = kReadOnly | kFast,
       .keys = kOneKey,
       .group = "string",
       .since = "2.2.0",
       .summary = "Gives the length of a string",
       .syntax = "key",
       .data = StrLen},
      {.name = "substr",
       .arity = 4,
       .flags = kReadOnly,
       .keys = kOneKey,
       .group = "string",
       .since = "1.0.0",
       .summary = "Gives a part of a string; an older name of GETRANGE",
       .syntax = "key start end",
       .data = GetRange},

  };
  return kCommands;
}

}  // namespace cirein::resp
