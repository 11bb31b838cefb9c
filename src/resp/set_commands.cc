// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "resp/command.h"
#include "resp/keyspace.h"
#include "resp/number.h"
#include "resp/option_word.h"
#include "resp/string_handlers.h"

namespace cirein::resp {
namespace {

enum class Condition : std::uint8_t { kAlways, kIfAbsent, kIfPresent };

/// What is to become of a key's expiry.
enum class Expiry : std::uint8_t {
  kDefault,  ///< Nothing was said: SET ends it, GETEX leaves it.
  kEx,       ///< In seconds from now.
  kPx,       ///< In milliseconds from now.
  kExAt,     ///< At a second of wall time.
  kPxAt,     ///< At a millisecond of wall time.
  kKeep,
  kPersist,
};

/// Which command is written.
enum class Verb : std::uint8_t { kSet, kGetEx };

struct Options {
  Condition condition = Condition::kAlways;
  Expiry expiry = Expiry::kDefault;
  bool get = false;
  std::string_view time;  ///< What was said of the expiry, when that is a time.
};

bool IsTime(Expiry expiry) {
  return expiry == Expiry::kEx || expiry == Expiry::kPx || expiry == Expiry::kExAt ||
         expiry == Expiry::kPxAt;
}

// The expiry that an option is about, if it is about one.
std::optional<Expiry> ExpiryOf(std::string_view word, Verb verb) {
  if (IsOption(word, "ex")) return Expiry::kEx;
  if (IsOption(word, "px")) return Expiry::kPx;
  if (IsOption(word, "exat")) return Expiry::kExAt;
  if (IsOption(word, "pxat")) return Expiry::kPxAt;
  if (verb == Verb::kSet && IsOption(word, "keepttl")) return Expiry::kKeep;
  if (verb == Verb::kGetEx && IsOption(word, "persist")) return Expiry::kPersist;
  return std::nullopt;
}

// An option of SET that stands alone; false when it is none, or contradicts one before it.
bool ReadWord(std::string_view word, Options& options) {
  if (IsOption(word, "get")) {
    options.get = true;
    return true;
  }
  const Condition condition = IsOption(word, "nx")   ? Condition::kIfAbsent
                              : IsOption(word, "xx") ? Condition::kIfPresent
                                                     : Condition::kAlways;
  if (condition == Condition::kAlways) return false;
  if (options.condition != Condition::kAlways && options.condition != condition) return false;
  options.condition = condition;
  return true;
}

// The options from the argument `first` on. One that is said twice counts as it was said last.
bool ReadOptions(const DataCall& call, std::size_t first, Verb verb, Options& options) {
  for (std::size_t i = first; i < call.args.size(); ++i) {
    const std::string_view word = call.arg(i);
    if (const std::optional<Expiry> expiry = ExpiryOf(word, verb)) {
      if (options.expiry != Expiry::kDefault && options.expiry != *expiry) return false;
      options.expiry = *expiry;
      if (!IsTime(*expiry)) continue;
      if (++i == call.args.size()) return false;
      options.time = call.arg(i);
    } else if (verb != Verb::kSet || !ReadWord(word, options)) {
      return false;
    }
  }
  return true;
}

// The wall time in ms that is meant; if there is none, the reply says so.
std::optional<std::uint64_t> ReadTime(DataCall& call, Expiry expiry, std::string_view text,
                                      std::string_view command) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  const std::optional<std::int64_t> number = ParseInteger(text);
  if (!number) {
    call.reply.Error(kNotAnInteger);
    return std::nullopt;
  }
  const std::int64_t unit_ms = expiry == Expiry::kEx || expiry == Expiry::kExAt ? 1000 : 1;
  const bool relative = expiry == Expiry::kEx || expiry == Expiry::kPx;
  const auto from_ms = relative ? static_cast<std::int64_t>(call.transaction.now_ms()) : 0;
  if (*number <= 0 || *number > kMax / unit_ms || *number * unit_ms > kMax - from_ms) {
    call.reply.Error(fmt::format("ERR invalid expire time in '{}' command", command));
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(*number * unit_ms + from_ms);
}

/// A string to be set, as all forms of SET say it.
struct SetRequest {
  std::size_t value = 0;  ///< Which argument it is.
  Condition condition = Condition::kAlways;
  bool get = false;
  bool keep_expiry = false;
  std::uint64_t expiry_ms = 0;
};

enum class SetOutcome : std::uint8_t { kSet, kNotSet, kReplied };

// With `get`, and where it fails, it replies itself.
Result<SetOutcome> SetString(DataCall& call, const SetRequest& request) {
  const KeyView row = call.row(1);
  FoundKey found;
  const Look look = request.get ? Look::kValue : request.keep_expiry ? Look::kSizes : Look::kType;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, look, found));
  if (request.get && !RequireNoHash(found, call.reply)) return SetOutcome::kReplied;
  const bool refused = request.condition == Condition::kIfAbsent    ? found.exists()
                       : request.condition == Condition::kIfPresent ? !found.exists()
                                                                    : false;
  if (!refused) {
    if (!RequireStorable(row.row, call.reply)) return SetOutcome::kReplied;
    CIREIN_ASSIGN_OR_RETURN(DataObject value, call.args[request.value].ToObject());
    PutString(call.transaction, row, found, std::move(value),
              request.keep_expiry ? found.expiry_ms : request.expiry_ms);
  }
  if (request.get) {
    ReplyString(found, call.reply);
    return SetOutcome::kReplied;
  }
  return refused ? SetOutcome::kNotSet : SetOutcome::kSet;
}

Status ReplyToSet(DataCall& call, const SetRequest& request) {
  CIREIN_ASSIGN_OR_RETURN(const SetOutcome outcome, SetString(call, request));
  if (outcome == SetOutcome::kSet) call.reply.Ok();
  if (outcome == SetOutcome::kNotSet) call.reply.Null();
  return OkStatus();
}

// SETEX and PSETEX: the time is the second argument, the value the third.
Status SetFor(DataCall& call, Expiry expiry, std::string_view command) {
  const auto expiry_ms = ReadTime(call, expiry, call.arg(2), command);
  if (!expiry_ms) return OkStatus();
  return ReplyToSet(call, {.value = 3, .expiry_ms = *expiry_ms});
}

}  // namespace

Status Set(DataCall& call) {
  SetRequest request{.value = 2};
  if (call.args.size() > 3) {
    Options options;
    if (!ReadOptions(call, 3, Verb::kSet, options)) {
      call.reply.Error(kSyntaxError);
      return OkStatus();
    }
    if (IsTime(options.expiry)) {
      const auto expiry_ms = ReadTime(call, options.expiry, options.time, "set");
      if (!expiry_ms) return OkStatus();
      request.expiry_ms = *expiry_ms;
    }
    request.condition = options.condition;
    request.get = options.get;
    request.keep_expiry = options.expiry == Expiry::kKeep;
  }
  return ReplyToSet(call, request);
}

Status SetNx(DataCall& call) {
  CIREIN_ASSIGN_OR_RETURN(const SetOutcome outcome,
                          SetString(call, {.value = 2, .condition = Condition::kIfAbsent}));
  if (outcome != SetOutcome::kReplied) call.reply.Integer(outcome == SetOutcome::kSet ? 1 : 0);
  return OkStatus();
}

Status SetEx(DataCall& call) { return SetFor(call, Expiry::kEx, "setex"); }

Status PSetEx(DataCall& call) { return SetFor(call, Expiry::kPx, "psetex"); }

Status GetEx(DataCall& call) {
  Options options;
  if (!ReadOptions(call, 2, Verb::kGetEx, options)) {
    call.reply.Error(kSyntaxError);
    return OkStatus();
  }
  const KeyView row = call.row(1);
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kValue, found));
  if (found.type != KeyType::kString) {
    ReplyString(found, call.reply);
    return OkStatus();
  }
  std::uint64_t expiry_ms = 0;
  if (IsTime(options.expiry)) {
    const auto read_ms = ReadTime(call, options.expiry, options.time, "getex");
    if (!read_ms) return OkStatus();
    expiry_ms = *read_ms;
  }
  ReplyString(found, call.reply);
  if (options.expiry != Expiry::kDefault && expiry_ms != found.expiry_ms) {
    PutString(call.transaction, row, found, found.string.object, expiry_ms);
  }
  return OkStatus();
}

}  // namespace cirein::resp
