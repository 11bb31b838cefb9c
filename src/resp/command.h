// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cirein/data_object.h"
#include "cirein/key.h"

#include "object/transaction.h"
#include "resp/reply_writer.h"

namespace cirein::resp {

/// One argument of a command: bytes in the connection's buffer; or, when it is large, a body of its
/// own, into which it was read from the network.
struct Arg {
  std::string_view bytes;  ///< All of it, whichever way.
  DataObject body;         ///< Null for a small one.

  std::string_view text() const noexcept { return bytes; }
  /// As an object's data; a small one is copied. Errors as DataObject::Allocate.
  Result<DataObject> ToObject() const;
};
/// The command's name is the first one.
using Args = std::span<const Arg>;

/// A command that looks at keys and changes them: what it is given.
struct DataCall {
  Args args;
  ReplyWriter& reply;
  Transaction& transaction;
  Bucket bucket;  ///< That Redis sees.
  /// Of a handler that writes as much as one transaction can: as in ServerState::Options.
  std::uint64_t group_bytes = UINT64_MAX;

  std::string_view arg(std::size_t i) const { return args[i].text(); }
  KeyView row(std::size_t i) const { return KeyView(bucket, args[i].text()); }
};
/// Writes exactly one reply. Looks first and changes afterwards, so that one that answers with an
/// error has changed nothing. What cannot be kept after all is answered with an error in its place
/// by the caller. An error it returns (the store's) becomes the reply, and its changes are taken
/// back.
using DataHandler = Status (*)(DataCall& call);

class Session;
/// A command about the connection or the server, or one that waits; it may begin transactions.
struct SessionCall {
  Args args;
  ReplyWriter& reply;
  Session& session;
};
/// Writes one reply, or none where it says so to the session (blocked, replies turned off).
using SessionHandler = void (*)(SessionCall& call);

/// What COMMAND tells of a command, and what dispatch looks at. Bits.
enum CommandFlag : std::uint32_t {
  kWrite = 1 << 0,
  kReadOnly = 1 << 1,
  kDenyOom = 1 << 2,  ///< Refused when the pool is full.
  kAdmin = 1 << 3,
  kNoAuth = 1 << 4,  ///< Allowed before AUTH.
  kFast = 1 << 5,
  kBlocking = 1 << 6,
  kNoMulti = 1 << 7,  ///< Refused in MULTI.
  kAllRows = 1 << 8,  ///< A DataHandler that needs the transaction of all rows; may take long.
  kLoading = 1 << 9,
  kStale = 1 << 10,
  kMovableKeys = 1 << 11,
  kNoScript = 1 << 12,
  /// A kAllRows handler that answers Aborted where there is too much for one transaction: then, if
  /// it is alone, all rows are dropped in several.
  kDropsInParts = 1 << 14,
  kNotQueued = 1 << 13,  ///< Runs at once in MULTI: EXEC, DISCARD, WATCH, QUIT, RESET.
};

/// Which arguments are keys: from the first to the last (negative: counted from the end), each
/// step-th; 0 for none.
struct KeyArguments {
  std::int16_t first = 0;
  std::int16_t last = 0;
  std::int16_t step = 0;
};

/// One command, as data: dispatch, arity checks, the replies of COMMAND and the docs come of it.
struct CommandSpec {
  std::string_view name;    ///< Lower case; of a subcommand only its own word.
  std::int16_t arity = 0;   ///< With the name; negative: at least so many.
  std::uint32_t flags = 0;  ///< CommandFlags.
  KeyArguments keys = {};
  std::string_view group;      ///< As redis.io groups it: "string", "generic", "hash", ...
  std::string_view since;      ///< Redis's version that brought it.
  std::string_view summary;    ///< One line.
  std::string_view syntax;     ///< What follows the name, such as "key value [NX | XX]".
  DataHandler data = nullptr;  ///< Exactly one of the three.
  SessionHandler session = nullptr;
  std::span<const CommandSpec> subcommands = {};
};

/// The commands of one file; command_table.cc joins them.
std::span<const CommandSpec> StringCommands();
std::span<const CommandSpec> KeyCommands();
std::span<const CommandSpec> HashCommands();
std::span<const CommandSpec> TransactionCommands();
std::span<const CommandSpec> ConnectionCommands();
std::span<const CommandSpec> ServerCommands();
std::span<const CommandSpec> CireinCommands();

// Errors as Redis words them.
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotAFloat = "ERR value is not a valid float";
inline constexpr std::string_view kNoSuchKey = "ERR no such key";

}  // namespace cirein::resp
