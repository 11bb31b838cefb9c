// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_set.h>

#include "resp/command.h"
#include "resp/hash_handlers.h"
#include "resp/keyspace.h"

namespace cirein::resp {
namespace {

// A field and a value of HSET and HMSET stand from here on.
constexpr std::size_t kFirstPair = 2;

// How many different fields HSET was given.
std::int64_t CountFields(Args args) {
  if (args.size() <= kFirstPair + 2) return 1;
  absl::flat_hash_set<std::string_view> fields;
  for (std::size_t i = kFirstPair; i < args.size(); i += 2) fields.insert(args[i].text());
  return static_cast<std::int64_t>(fields.size());
}

// How many of the fields that HSET was given are not in the row.
Result<std::int64_t> CountNew(DataCall& call, const KeyView& row) {
  std::int64_t there = 0;
  absl::flat_hash_set<std::string_view> seen;
  const bool single = call.args.size() <= kFirstPair + 2;
  for (std::size_t i = kFirstPair; i < call.args.size(); i += 2) {
    const std::string_view field = call.arg(i);
    if (!single && !seen.insert(field).second) continue;
    StoredObject found;
    CIREIN_ASSIGN_OR_RETURN(const bool found_it,
                            call.transaction.Get(FieldOf(row, field), Load::kSizes, found));
    if (found_it) ++there;
  }
  const auto fields = single ? std::int64_t{1} : static_cast<std::int64_t>(seen.size());
  return fields - there;
}

// Sets the fields; false: nothing was, and the reply is an error.
Result<bool> SetFields(DataCall& call, std::string_view command, std::int64_t* created) {
  if (call.args.size() % 2 != 0) {
    call.reply.Error("ERR wrong number of arguments for '" + std::string(command) + "' command");
    return false;
  }
  const KeyView row = call.row(1);
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  if (!right_type) return false;
  for (std::size_t i = kFirstPair; i < call.args.size(); i += 2) {
    if (!RequireStorableField(call, call.arg(i))) return false;
  }
  if (created != nullptr && !hash.exists()) {
    *created = CountFields(call.args);
  } else if (created != nullptr) {
    CIREIN_ASSIGN_OR_RETURN(*created, CountNew(call, row));
  }
  for (std::size_t i = kFirstPair; i < call.args.size(); i += 2) {
    CIREIN_ASSIGN_OR_RETURN(DataObject value, call.args[i + 1].ToObject());
    call.transaction.Put(FieldOf(row, call.arg(i)), std::move(value));
  }
  return true;
}

Status HSet(DataCall& call) {
  std::int64_t created = 0;
  CIREIN_ASSIGN_OR_RETURN(const bool done, SetFields(call, "hset", &created));
  if (done) call.reply.Integer(created);
  return OkStatus();
}

Status HMSet(DataCall& call) {
  CIREIN_ASSIGN_OR_RETURN(const bool done, SetFields(call, "hmset", nullptr));
  if (done) call.reply.Ok();
  return OkStatus();
}

Status HSetNx(DataCall& call) {
  const KeyView row = call.row(1);
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  if (!right_type) return OkStatus();
  if (hash.exists()) {
    StoredObject found;
    CIREIN_ASSIGN_OR_RETURN(const bool there,
                            FindField(call, row, call.arg(2), Load::kSizes, found));
    if (there) {
      call.reply.Integer(0);
      return OkStatus();
    }
  }
  if (!RequireStorableField(call, call.arg(2))) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(DataObject value, call.args[3].ToObject());
  call.transaction.Put(FieldOf(row, call.arg(2)), std::move(value));
  call.reply.Integer(1);
  return OkStatus();
}

// Looks for the field of HGET and its like. A row with the field is a hash, so its type is looked
// at only when the field is not there. True when it is; else `wrong_type` tells whether the reply
// is an error already.
Result<bool> FindFieldOrType(DataCall& call, Load load, StoredObject& found, bool& wrong_type) {
  wrong_type = false;
  const KeyView row = call.row(1);
  if (IsStorable(row.row)) {
    CIREIN_ASSIGN_OR_RETURN(const bool there, FindField(call, row, call.arg(2), load, found));
    if (there) return true;
  }
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  wrong_type = !right_type;
  return false;
}

Status HGet(DataCall& call) {
  StoredObject found;
  bool wrong_type = false;
  CIREIN_ASSIGN_OR_RETURN(const bool there,
                          FindFieldOrType(call, Load::kObject, found, wrong_type));
  if (there) {
    call.reply.Bulk(found.object);
  } else if (!wrong_type) {
    call.reply.Null();
  }
  return OkStatus();
}

Status HExists(DataCall& call) {
  StoredObject found;
  bool wrong_type = false;
  CIREIN_ASSIGN_OR_RETURN(const bool there, FindFieldOrType(call, Load::kSizes, found, wrong_type));
  if (!wrong_type) call.reply.Integer(there ? 1 : 0);
  return OkStatus();
}

Status HStrLen(DataCall& call) {
  StoredObject found;
  bool wrong_type = false;
  CIREIN_ASSIGN_OR_RETURN(const bool there, FindFieldOrType(call, Load::kSizes, found, wrong_type));
  if (!wrong_type) call.reply.Integer(there ? static_cast<std::int64_t>(found.data_bytes) : 0);
  return OkStatus();
}

Status HMGet(DataCall& call) {
  constexpr std::size_t kFirstField = 2;
  const KeyView row = call.row(1);
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  if (!right_type) return OkStatus();
  call.reply.Array(call.args.size() - kFirstField);
  for (std::size_t i = kFirstField; i < call.args.size(); ++i) {
    bool there = false;
    StoredObject found;
    if (hash.exists()) {
      CIREIN_ASSIGN_OR_RETURN(there, FindField(call, row, call.arg(i), Load::kObject, found));
    }
    if (there) {
      call.reply.Bulk(found.object);
    } else {
      call.reply.Null();
    }
  }
  return OkStatus();
}

Status HDel(DataCall& call) {
  const KeyView row = call.row(1);
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, row, hash));
  if (!right_type) return OkStatus();
  const std::size_t changes_before = call.transaction.change_count();
  std::uint64_t deleted = 0;
  for (std::size_t i = 2; i < call.args.size() && deleted < hash.row.columns; ++i) {
    StoredObject found;
    CIREIN_ASSIGN_OR_RETURN(const bool there,
                            FindField(call, row, call.arg(i), Load::kSizes, found));
    if (!there) continue;
    if (++deleted < hash.row.columns) {
      call.transaction.Drop(FieldOf(row, call.arg(i)));
    } else {
      // A hash without fields is gone, with its expiry and whatever else is in its row.
      call.transaction.RollBack(changes_before);
      call.transaction.DropRow(row);
    }
  }
  call.reply.Integer(static_cast<std::int64_t>(deleted));
  return OkStatus();
}

Status HLen(DataCall& call) {
  FoundKey hash;
  CIREIN_ASSIGN_OR_RETURN(const bool right_type, FindHash(call, call.row(1), hash));
  if (right_type) call.reply.Integer(static_cast<std::int64_t>(hash.row.columns));
  return OkStatus();
}

constexpr KeyArguments kFirstKey = {.first = 1, .last = 1, .step = 1};

}  // namespace

Result<bool> FindHash(DataCall& call, const KeyView& row, FoundKey& found) {
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kType, found));
  if (found.type != KeyType::kString) return true;
  call.reply.Error(kWrongType);
  return false;
}

Result<bool> FindField(DataCall& call, const KeyView& row, std::string_view field, Load load,
                       StoredObject& found) {
  if (!IsStorableField(field)) return false;
  return call.transaction.Get(FieldOf(row, field), load, found);
}

bool RequireStorableField(DataCall& call, std::string_view field) {
  if (!RequireStorable(call.arg(1), call.reply)) return false;
  if (IsStorableField(field)) return true;
  call.reply.Error(kLongField);
  return false;
}

std::span<const CommandSpec> HashCommands() {
  static const CommandSpec kCommands[] = {
      {.name = "hdel",
       .arity = -3,
       .flags = kWrite | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Deletes fields of a hash, and the hash with its last one",
       .syntax = "key field [field ...]",
       .data = HDel},
      {.name = "hexists",
       .arity = 3,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Tells whether a hash has a field",
       .syntax = "key field",
       .data = HExists},
      {.name = "hget",
       .arity = 3,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Gets the value of a field",
       .syntax = "key field",
       .data = HGet},
      {.name = "hgetall",
       .arity = 2,
       .flags = kReadOnly,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Gets all fields of a hash with their values",
       .syntax = "key",
       .data = HGetAll},
      {.name = "hincrby",
       .arity = 4,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Adds an integer to the one in a field, 0 if it is not there",
       .syntax = "key field increment",
       .data = HIncrBy},
      {.name = "hincrbyfloat",
       .arity = 4,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.6.0",
       .summary = "Adds a number to the one in a field, 0 if it is not there",
       .syntax = "key field increment",
       .data = HIncrByFloat},
      {.name = "hkeys",
       .arity = 2,
       .flags = kReadOnly,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Gets the names of all fields of a hash",
       .syntax = "key",
       .data = HKeys},
      {.name = "hlen",
       .arity = 2,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Counts the fields of a hash",
       .syntax = "key",
       .data = HLen},
      {.name = "hmget",
       .arity = -3,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Gets the values of fields",
       .syntax = "key field [field ...]",
       .data = HMGet},
      {.name = "hmset",
       .arity = -4,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Sets fields; HSET does the same and tells how many are new",
       .syntax = "key field value [field value ...]",
       .data = HMSet},
      {.name = "hrandfield",
       .arity = -2,
       .flags = kReadOnly,
       .keys = kFirstKey,
       .group = "hash",
       .since = "6.2.0",
       .summary = "Draws fields of a hash at random",
       .syntax = "key [count [WITHVALUES]]",
       .data = HRandField},
      {.name = "hscan",
       .arity = -3,
       .flags = kReadOnly,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.8.0",
       .summary = "Lists the fields of a hash and their values page by page",
       .syntax = "key cursor [MATCH pattern] [COUNT count]",
       .data = HScan},
      {.name = "hset",
       .arity = -4,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Sets fields, and tells how many of them are new",
       .syntax = "key field value [field value ...]",
       .data = HSet},
      {.name = "hsetnx",
       .arity = 4,
       .flags = kWrite | kDenyOom | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Sets a field that is not there yet",
       .syntax = "key field value",
       .data = HSetNx},
      {.name = "hstrlen",
       .arity = 3,
       .flags = kReadOnly | kFast,
       .keys = kFirstKey,
       .group = "hash",
       .since = "3.2.0",
       .summary = "Tells the length of a field's value",
       .syntax = "key field",
       .data = HStrLen},
      {.name = "hvals",
       .arity = 2,
       .flags = kReadOnly,
       .keys = kFirstKey,
       .group = "hash",
       .since = "2.0.0",
       .summary = "Gets the values of all fields of a hash",
       .syntax = "key",
       .data = HVals},
  };
  return kCommands;
}

}  // namespace cirein::resp
