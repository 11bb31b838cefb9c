// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "resp/hash_limits.h"
#include "resp/key_handlers.h"
#include "resp/keyspace.h"
#include "resp/number.h"

namespace cirein::resp {
namespace {

// A string of at most so many bytes stands in one piece with its header in Redis.
constexpr std::uint64_t kEmbeddedBytes = 44;

// The integer that Redis would keep a string as; null when it would not.
Result<std::optional<std::int64_t>> IntegerOf(DataCall& call, const FoundKey& key) {
  std::optional<std::int64_t> integer;
  if (key.type != KeyType::kString || key.string.data_bytes > kMaxIntegerBytes) return integer;
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(2), Look::kValue, found));
  if (found.type == KeyType::kString) integer = ParseInteger(found.text());
  return integer;
}

// Looks for the key of a subcommand; false: there is none, and the reply is written.
Result<bool> Find(DataCall& call, FoundKey& found) {
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(2), Look::kSizes, found));
  if (found.exists()) return true;
  call.reply.Null();
  return false;
}

Status Encoding(DataCall& call) {
  FoundKey found;
  CIREIN_ASSIGN_OR_RETURN(const bool there, Find(call, found));
  if (!there) return OkStatus();
  if (found.type == KeyType::kString) {
    CIREIN_ASSIGN_OR_RETURN(const std::optional<std::int64_t> integer, IntegerOf(call, found));
    const bool embedded = found.string.data_bytes <= kEmbeddedBytes;
    call.reply.Bulk(integer ? "int" : embedded ? "embstr" : "raw");
    return OkStatus();
  }
  CIREIN_ASSIGN_OR_RETURN(const bool small,
                          IsSmallHash(call.transaction, call.row(2), found.row.columns));
  call.reply.Bulk(small ? "listpack" : "hashtable");
  return OkStatus();
}

Status Freq(DataCall& call) {
  FoundKey found;
  CIREIN_ASSIGN_OR_RETURN(const bool there, Find(call, found));
  if (!there) return OkStatus();
  call.reply.Error(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
      "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
  return OkStatus();
}

// When a key was last looked at is not kept: it is always just now.
Status IdleTime(DataCall& call) {
  FoundKey found;
  CIREIN_ASSIGN_OR_RETURN(const bool there, Find(call, found));
  if (there) call.reply.Integer(0);
  return OkStatus();
}

// Redis shares small integers among all keys.
Status RefCount(DataCall& call) {
  constexpr std::int64_t kSharedIntegers = 10'000;
  constexpr std::int64_t kShared = 2'147'483'647;
  FoundKey found;
  CIREIN_ASSIGN_OR_RETURN(const bool there, Find(call, found));
  if (!there) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(const std::optional<std::int64_t> integer, IntegerOf(call, found));
  const bool shared = integer && *integer >= 0 && *integer < kSharedIntegers;
  call.reply.Integer(shared ? kShared : 1);
  return OkStatus();
}

Status Help(DataCall& call) {
  static constexpr std::string_view kLines[] = {
      "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
      "HELP",
      "    Prints this help.",
  };
  call.reply.Array(std::size(kLines));
  for (const std::string_view line : kLines) call.reply.Simple(line);
  return OkStatus();
}

constexpr KeyArguments kSecondKey = {.first = 2, .last = 2, .step = 1};

}  // namespace

std::span<const CommandSpec> ObjectSubcommands() {
  static const CommandSpec kCommands[] = {
      {.name = "encoding",
       .arity = 3,
       .flags = kReadOnly,
       .keys = kSecondKey,
       .group = "generic",
       .since = "2.2.3",
       .summary = "Tells in which form Redis would keep a key's value",
       .syntax = "key",
       .data = Encoding},
      {.name = "freq",
       .arity = 3,
       .flags = kReadOnly,
       .keys = kSecondKey,
       .group = "generic",
       .since = "4.0.0",
       .summary = "Answers, as Redis without an LFU policy, that it is not counted",
       .syntax = "key",
       .data = Freq},
      {.name = "help",
       .arity = 2,
       .flags = kLoading | kStale,
       .group = "generic",
       .since = "6.2.0",
       .summary = "Explains the subcommands",
       .syntax = "",
       .data = Help},
      {.name = "idletime",
       .arity = 3,
       .flags = kReadOnly,
       .keys = kSecondKey,
       .group = "generic",
       .since = "2.2.3",
       .summary = "Answers 0 for a key that is there: when it was last looked at is not kept",
       .syntax = "key",
       .data = IdleTime},
      {.name = "refcount",
       .arity = 3,
       .flags = kReadOnly,
       .keys = kSecondKey,
       .group = "generic",
       .since = "2.2.3",
       .summary = "Tells how many references Redis would have to a key's value",
       .syntax = "key",
       .data = RefCount},
  };
  return kCommands;
}

}  // namespace cirein::resp
