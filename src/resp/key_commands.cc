// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "resp/command.h"
#include "resp/key_handlers.h"
#include "resp/keyspace.h"

namespace cirein::resp {
namespace {

// DEL and UNLINK: a pool frees what it drops later in any case.
Status Del(DataCall& call) {
  std::int64_t deleted = 0;
  for (std::size_t i = 1; i < call.args.size(); ++i) {
    const KeyView row = call.row(i);
    FoundKey found;
    CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kType, found));
    if (!found.exists()) continue;
    DeleteKey(call.transaction, row, found);
    ++deleted;
  }
  call.reply.Integer(deleted);
  return OkStatus();
}

// EXISTS and TOUCH: a key that stands there twice counts twice.
Status Exists(DataCall& call) {
  std::int64_t there = 0;
  for (std::size_t i = 1; i < call.args.size(); ++i) {
    FoundKey found;
    CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(i), Look::kType, found));
    if (found.exists()) ++there;
  }
  call.reply.Integer(there);
  return OkStatus();
}

Status Type(DataCall& call) {
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(1), Look::kType, found));
  call.reply.Simple(TypeName(found.type));
  return OkStatus();
}

constexpr KeyArguments kFirstKey = {.first = 1, .last = 1, .step = 1};
constexpr KeyArguments kTwoKeys = {.first = 1, .last = 2, .step = 1};
constexpr KeyArguments kAllKeys = {.first = 1, .last = -1, .step = 1};

}  // namespace

std::string_view TypeName(KeyType type) noexcept {
  switch (type) {
    case KeyType::kString:
      return "string";
    case KeyType::kHash:
      return "hash";
    case KeyType::kNone:
      break;
  }
  return "none";
}

std::span<const CommandSpec> KeyCommands() {
  static const CommandSpec kCommands[] = {
      {.name = "copy",
       .arity = -3,
       .flags = kWrite | kDenyOom,
       .keys = kTwoKeys,
       .group = "generic",
       .since = "6.2.0",
       .summary = "Makes a key a copy of another one, its expiry included",
       .syntax = "source destination [DB destination-db] [REPLACE]",
       .data = Copy},
      {.name = "dbsize",
       .arity = 1,
       .flags = kReadOnly | kFast | kAllRows,
       .group = "server",
       .since = "1.0.0",
       .summary = "Counts the keys; looks at each of them",
       .syntax = "",
       .data = DbSize},
      {.name = "del",
       .arity = -2,
       .flags = kWrite,
       .keys = kAllKeys,
       .group = "generic",
       .since = "1.0.0",
       .summary = "Deletes keys",
       .syntax = "key [key ...]",
       .data = Del},
      {.name = "exists",
       .arity = -2,
       .flags = kReadOnly | kFast,
       .keys = kAllKeys,
       .group = "generic",
       .since = "1.0.0",
       .summary = "Counts how many of the keys are there",
       .syntax = "key [key ...]",
       .data = Exists},
      {.name = "expire",
       .arity = -3,
       .flags = kWrite | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "1.0.0",
       .summary = "Lets a key be gone after so many seconds",
       .syntax = "key seconds [NX | XX | GT | LT]",
       .data = Expire},
      {.name = "expireat",
       .arity = -3,
       .flags = kWrite | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "1.2.0",
       .summary = "Lets a key be gone at a Unix time in seconds",
       .syntax = "key unix-time-seconds [NX | XX | GT | LT]",
       .data = ExpireAt},
      {.name = "expiretime",
       .arity = 2,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "7.0.0",
       .summary = "Tells the Unix time in seconds at which a key will be gone",
       .syntax = "key",
       .data = ExpireTime},
      {.name = "flushall",
       .arity = -1,
       .flags = kWrite | kAllRows | kDropsInParts,
       .group = "server",
       .since = "1.0.0",
       .summary = "Deletes all keys",
       .syntax = "[ASYNC | SYNC]",
       .data = Flush},
      {.name = "flushdb",
       .arity = -1,
       .flags = kWrite | kAllRows | kDropsInParts,
       .group = "server",
       .since = "1.0.0",
       .summary = "Deletes all keys of the only database there is",
       .syntax = "[ASYNC | SYNC]",
       .data = Flush},
      {.name = "keys",
       .arity = 2,
       .flags = kReadOnly | kAllRows,
       .group = "generic",
       .since = "1.0.0",
       .summary = "Lists the keys that match a pattern; looks at all keys",
       .syntax = "pattern",
       .data = Keys},
      {.name = "object",
       .arity = -2,
       .group = "generic",
       .since = "2.2.3",
       .summary = "Tells how a key's value is kept",
       .syntax = "",
       .subcommands = ObjectSubcommands()},
      {.name = "persist",
       .arity = 2,
       .flags = kWrite | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "2.2.0",
       .summary = "Takes a key's expiry away",
       .syntax = "key",
       .data = Persist},
      {.name = "pexpire",
       .arity = -3,
       .flags = kWrite | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "2.6.0",
       .summary = "Lets a key be gone after so many milliseconds",
       .syntax = "key milliseconds [NX | XX | GT | LT]",
       .data = PExpire},
      {.name = "pexpireat",
       .arity = -3,
       .flags = kWrite | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "2.6.0",
       .summary = "Lets a key be gone at a Unix time in milliseconds",
       .syntax = "key unix-time-milliseconds [NX | XX | GT | LT]",
       .data = PExpireAt},
      {.name = "pexpiretime",
       .arity = 2,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "7.0.0",
       .summary = "Tells the Unix time in milliseconds at which a key will be gone",
       .syntax = "key",
       .data = PExpireTime},
      {.name = "pttl",
       .arity = 2,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "2.6.0",
       .summary = "Tells how many milliseconds a key has still to live",
       .syntax = "key",
       .data = PTtl},
      {.name = "randomkey",
       .arity = 1,
       .flags = kReadOnly | kAllRows,
       .group = "generic",
       .since = "1.0.0",
       .summary = "Names a key at random",
       .syntax = "",
       .data = RandomKey},
      {.name = "rename",
       .arity = 3,
       .flags = kWrite,
       .keys = kTwoKeys,
       .group = "generic",
       .since = "1.0.0",
       .summary = "Gives a key another name, over the key that may have it",
       .syntax = "key newkey",
       .data = Rename},
      {.name = "renamenx",
       .arity = 3,
       .flags = kWrite | kFast,
       .keys = kTwoKeys,
       .group = "generic",
       .since = "1.0.0",
       .summary = "Gives a key another name, if no key has it",
       .syntax = "key newkey",
       .data = RenameNx},
      {.name = "scan",
       .arity = -2,
       .flags = kReadOnly | kAllRows,
       .group = "generic",
       .since = "2.8.0",
       .summary = "Lists keys page by page",
       .syntax = "cursor [MATCH pattern] [COUNT count] [TYPE type]",
       .data = Scan},
      {.name = "touch",
       .arity = -2,
       .flags = kReadOnly | kFast,
       .keys = kAllKeys,
       .group = "generic",
       .since = "3.2.1",
       .summary = "Counts how many of the keys are there",
       .syntax = "key [key ...]",
       .data = Exists},
      {.name = "ttl",
       .arity = 2,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "1.0.0",
       .summary = "Tells how many seconds a key has still to live",
       .syntax = "key",
       .data = Ttl},
      {.name = "type",
       .arity = 2,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "generic",
       .since = "1.0.0",
       .summary = "Tells the type of a key's value",
       .syntax = "key",
       .data = Type},
      {.name = "unlink",
       .arity = -2,
       .flags = kWrite | kFast,
       .keys = kAllKeys,
       .group = "generic",
       .since = "4.0.0",
       .summary = "Deletes keys",
       .syntax = "key [key ...]",
       .data = Del},
  };
  return kCommands;
}

}  // namespace cirein::resp
