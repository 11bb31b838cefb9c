// SPDX-License-Identifier: Apache-2.0

// MULTI, EXEC, DISCARD, WATCH, UNWATCH.

#include <array>

#include "resp/session.h"

namespace cirein::resp {
namespace {

void Multi(SessionCall& call) {
  if (call.session.in_multi()) {
    return call.reply.Error("ERR MULTI calls can not be nested");
  }
  call.session.BeginMulti();
  call.reply.Ok();
}

void Exec(SessionCall& call) {
  if (!call.session.in_multi()) return call.reply.Error("ERR EXEC without MULTI");
  call.session.Exec(call.reply);
}

void Discard(SessionCall& call) {
  if (!call.session.in_multi()) return call.reply.Error("ERR DISCARD without MULTI");
  call.session.EndMulti();
  call.session.UnwatchAll();
  call.reply.Ok();
}

void Watch(SessionCall& call) {
  if (call.session.in_multi()) {
    return call.reply.Error("ERR WATCH inside MULTI is not allowed");
  }
  for (const Arg& key : call.args.subspan(1)) call.session.Watch(key.text());
  call.reply.Ok();
}

void Unwatch(SessionCall& call) {
  // EXEC does so at its end; now it holds the partitions.
  if (!call.session.in_exec()) call.session.UnwatchAll();
  call.reply.Ok();
}

constexpr std::uint32_t kCommon = kNoScript | kLoading | kStale | kFast;

constexpr auto kCommands = std::to_array<CommandSpec>({
    {.name = "multi",
     .arity = 1,
     .flags = kCommon | kNotQueued,
     .group = "transactions",
     .since = "1.2.0",
     .summary = "Starts a transaction.",
     .syntax = "",
     .session = Multi},
    {.name = "exec",
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kNotQueued,
     .group = "transactions",
     .since = "1.2.0",
     .summary = "Runs the commands of a transaction, all as one.",
     .syntax = "",
     .session = Exec},
    {.name = "discard",
     .arity = 1,
     .flags = kCommon | kNotQueued,
     .group = "transactions",
     .since = "2.0.0",
     .summary = "Gives a transaction up.",
     .syntax = "",
     .session = Discard},
    {.name = "watch",
     .arity = -2,
     .flags = kCommon | kNotQueued,
     .keys = {1, -1, 1},
     .group = "transactions",
     .since = "2.2.0",
     .summary = "Forbids the next transaction if one of these keys changes before it.",
     .syntax = "key [key ...]",
     .session = Watch},
    {.name = "unwatch",
     .arity = 1,
     .flags = kCommon,
     .group = "transactions",
     .since = "2.2.0",
     .summary = "Forgets the watched keys.",
     .syntax = "",
     .session = Unwatch},
});

}  // namespace

std::span<const CommandSpec> TransactionCommands() { return kCommands; }

}  // namespace cirein::resp
