// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "resp/command.h"
#include "resp/keyspace.h"
#include "resp/reply_writer.h"

/// The handlers of StringCommands() that stand in other files than its table, each a DataHandler,
/// and what they share.
namespace cirein::resp {

/// As Redis's proto-max-bulk-len is by default.
inline constexpr std::uint64_t kMaxStringBytes = std::uint64_t{512} << 20;
inline constexpr std::string_view kStringTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

/// The string that was found with its value, null for nothing, WRONGTYPE for a hash. True unless it
/// is an error.
inline bool ReplyString(const FoundKey& found, ReplyWriter& reply) {
  switch (found.type) {
    case KeyType::kString:
      reply.Bulk(found.string.object);
      return true;
    case KeyType::kHash:
      reply.Error(kWrongType);
      return false;
    case KeyType::kNone:
      break;
  }
  reply.Null();
  return true;
}

/// True for all but a hash; else the reply is WRONGTYPE.
inline bool RequireNoHash(const FoundKey& found, ReplyWriter& reply) {
  if (found.type != KeyType::kHash) return true;
  reply.Error(kWrongType);
  return false;
}

// set_commands.cc
Status Set(DataCall& call);
Status SetNx(DataCall& call);
Status SetEx(DataCall& call);
Status PSetEx(DataCall& call);
Status GetEx(DataCall& call);

// string_number_commands.cc
Status Incr(DataCall& call);
Status Decr(DataCall& call);
Status IncrBy(DataCall& call);
Status DecrBy(DataCall& call);
Status IncrByFloat(DataCall& call);

// string_range_commands.cc
Status Append(DataCall& call);
Status StrLen(DataCall& call);
Status GetRange(DataCall& call);
Status SetRange(DataCall& call);

// lcs_command.cc
Status Lcs(DataCall& call);

}  // namespace cirein::resp
