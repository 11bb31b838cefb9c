// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "resp/key_handlers.h"
#include "resp/keyspace.h"
#include "resp/number.h"
#include "resp/option_word.h"

namespace cirein::resp {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMsPerSecond = 1000;

// How one of the commands counts its times.
struct Counting {
  std::string_view command;  // Lower case.
  std::int64_t unit_ms = 1;
  bool from_now = false;
};

// What follows the time.
struct Conditions {
  bool without_expiry = false;  // NX
  bool with_expiry = false;     // XX
  bool later = false;           // GT
  bool sooner = false;          // LT
};

// False: the reply is an error.
bool ParseConditions(DataCall& call, Conditions& conditions) {
  for (std::size_t i = 3; i < call.args.size(); ++i) {
    const std::string_view word = call.arg(i);
    if (IsOption(word, "nx")) {
      conditions.without_expiry = true;
    } else if (IsOption(word, "xx")) {
      conditions.with_expiry = true;
    } else if (IsOption(word, "gt")) {
      conditions.later = true;
    } else if (IsOption(word, "lt")) {
      conditions.sooner = true;
    } else {
      call.reply.Error("ERR Unsupported option " + std::string(AsCString(word)));
      return false;
    }
  }
  if (conditions.without_expiry &&
      (conditions.with_expiry || conditions.later || conditions.sooner)) {
    call.reply.Error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (conditions.later && conditions.sooner) {
    call.reply.Error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

// The wall time in ms that is meant, which may be before 1970; null when it cannot be told.
std::optional<std::int64_t> ToWallTime(std::int64_t time, const Counting& counting,
                                       std::int64_t now_ms) {
  if (time > kMax / counting.unit_ms || time < kMin / counting.unit_ms) return std::nullopt;
  time *= counting.unit_ms;
  const std::int64_t base_ms = counting.from_now ? now_ms : 0;
  if (time > kMax - base_ms) return std::nullopt;
  return time + base_ms;
}

// Do the conditions hold of a key that is gone at `current_ms`? 0 is never, which is later than
// all.
bool Hold(const Conditions& conditions, std::int64_t current_ms, std::int64_t wanted_ms) {
  const bool expires = current_ms != 0;
  if (conditions.without_expiry && expires) return false;
  if (conditions.with_expiry && !expires) return false;
  if (conditions.later && (!expires || wanted_ms <= current_ms)) return false;
  return !(conditions.sooner && expires && wanted_ms >= current_ms);
}

Status SetTime(DataCall& call, const Counting& counting) {
  Conditions conditions;
  if (!ParseConditions(call, conditions)) return OkStatus();
  const std::optional<std::int64_t> time = ParseInteger(call.arg(2));
  if (!time) {
    call.reply.Error(kNotAnInteger);
    return OkStatus();
  }
  const auto now_ms = static_cast<std::int64_t>(call.transaction.now_ms());
  const std::optional<std::int64_t> wanted_ms = ToWallTime(*time, counting, now_ms);
  if (!wanted_ms) {
    call.reply.Error("ERR invalid expire time in '" + std::string(counting.command) + "' command");
    return OkStatus();
  }
  const KeyView row = call.row(1);
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kSizes, found));
  if (!found.exists() ||
      !Hold(conditions, static_cast<std::int64_t>(found.expiry_ms), *wanted_ms)) {
    call.reply.Integer(0);
    return OkStatus();
  }
  if (*wanted_ms <= now_ms) {
    DeleteKey(call.transaction, row, found);
  } else {
    CIREIN_RETURN_IF_ERROR(
        SetExpiry(call.transaction, row, found, static_cast<std::uint64_t>(*wanted_ms)));
  }
  call.reply.Integer(1);
  return OkStatus();
}

// What of a key's expiry is told.
enum class Tell : std::uint8_t { kTimeLeft, kWallTime };

Status TellTime(DataCall& call, Tell what, std::int64_t unit_ms) {
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(1), Look::kSizes, found));
  if (!found.exists() || found.expiry_ms == 0) {
    constexpr std::int64_t kNever = -1;
    constexpr std::int64_t kNotThere = -2;
    call.reply.Integer(found.exists() ? kNever : kNotThere);
    return OkStatus();
  }
  std::uint64_t time_ms = found.expiry_ms;
  if (what == Tell::kTimeLeft) {
    const std::uint64_t now_ms = call.transaction.now_ms();
    time_ms = time_ms > now_ms ? time_ms - now_ms : 0;
  }
  // Times that are later than Redis can tell are set by others only.
  time_ms = std::min(time_ms, static_cast<std::uint64_t>(kMax));
  const auto unit = static_cast<std::uint64_t>(unit_ms);
  const std::uint64_t told = (time_ms + unit / 2) / unit;
  call.reply.Integer(static_cast<std::int64_t>(told));
  return OkStatus();
}

}  // namespace

Status Expire(DataCall& call) {
  return SetTime(call, {.command = "expire", .unit_ms = kMsPerSecond, .from_now = true});
}
Status PExpire(DataCall& call) {
  return SetTime(call, {.command = "pexpire", .unit_ms = 1, .from_now = true});
}
Status ExpireAt(DataCall& call) {
  return SetTime(call, {.command = "expireat", .unit_ms = kMsPerSecond, .from_now = false});
}
Status PExpireAt(DataCall& call) {
  return SetTime(call, {.command = "pexpireat", .unit_ms = 1, .from_now = false});
}

Status ExpireTime(DataCall& call) { return TellTime(call, Tell::kWallTime, kMsPerSecond); }
Status PExpireTime(DataCall& call) { return TellTime(call, Tell::kWallTime, 1); }
Status Ttl(DataCall& call) { return TellTime(call, Tell::kTimeLeft, kMsPerSecond); }
Status PTtl(DataCall& call) { return TellTime(call, Tell::kTimeLeft, 1); }

Status Persist(DataCall& call) {
  const KeyView row = call.row(1);
  FoundKey found;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, row, Look::kSizes, found));
  const bool expires = found.exists() && found.expiry_ms != 0;
  if (expires) CIREIN_RETURN_IF_ERROR(SetExpiry(call.transaction, row, found, 0));
  call.reply.Integer(expires ? 1 : 0);
  return OkStatus();
}

}  // namespace cirein::resp
