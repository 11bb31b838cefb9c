// SPDX-License-Identifier: Apache-2.0

// What concerns the server: TIME, SHUTDOWN, WAIT, SLOWLOG, MEMORY; the larger ones stand in files
// of their own.

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/logging.h"
#include "resp/number.h"
#include "resp/server_handlers.h"
#include "resp/session.h"

namespace cirein::resp {
namespace {

void Time(SessionCall& call) {
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(call.session.state().clock().WallNow());
  call.reply.Array(2);
  call.reply.Bulk(std::to_string(now.count() / 1'000'000));
  call.reply.Bulk(std::to_string(now.count() % 1'000'000));
}

void Shutdown(SessionCall& call) {
  bool aborts = false;
  bool saves = false;
  bool saves_not = false;
  bool others = false;
  for (const Arg& arg : call.args.subspan(1)) {
    const std::string_view word = arg.text();
    if (IsWord(word, "abort")) {
      aborts = true;
    } else if (IsWord(word, "save")) {
      saves = true;
    } else if (IsWord(word, "nosave")) {
      saves_not = true;
    } else if (IsWord(word, "now") || IsWord(word, "force")) {
      others = true;
    } else {
      return call.reply.Error(kSyntaxError);
    }
  }
  if ((saves && saves_not) || (aborts && (saves || saves_not || others))) {
    return call.reply.Error(kSyntaxError);
  }
  if (aborts) return call.reply.Error("ERR No shutdown in progress.");
  const ServerState::Options& options = call.session.state().options();
  if (options.shutdown == nullptr) {
    return call.reply.Error("ERR this server cannot be ended by a client");
  }
  LogInfo("resp", "client {} asked for the end", call.session.card().address());
  // As Redis, which has no more answer: all that was answered is kept, whatever was asked.
  call.session.CloseAfterReply();
  options.shutdown();
}

// There are no replicas.
void Wait(SessionCall& call) {
  const auto replicas = ParseInteger(call.args[1].text());
  if (!replicas) return call.reply.Error(kNotAnInteger);
  const auto timeout_ms = ParseInteger(call.args[2].text());
  if (!timeout_ms) return call.reply.Error("ERR timeout is not an integer or out of range");
  if (*timeout_ms < 0) return call.reply.Error("ERR timeout is negative");
  Session& session = call.session;
  if (*replicas <= 0 || session.in_exec()) return call.reply.Integer(0);
  constexpr std::int64_t kLongest = std::int64_t{1} << 40;
  const TimePoint end =
      *timeout_ms == 0
          ? kEndOfTime
          : session.host().now() + std::chrono::milliseconds(std::min(*timeout_ms, kLongest));
  session.Block(end, [](Session&, ReplyWriter& reply) { reply.Integer(0); });
}

// ---- SLOWLOG ----

void SlowlogGet(SessionCall& call) {
  std::int64_t count = 10;
  if (call.args.size() > 3) {
    return call.reply.Error(
        fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. "
                    "Try SLOWLOG HELP.",
                    call.args[1].text()));
  }
  if (call.args.size() == 3) {
    const auto given = ParseInteger(call.args[2].text());
    if (!given || *given < -1) {
      return call.reply.Error("ERR count should be greater than or equal to -1");
    }
    count = *given;
  }
  const auto entries = call.session.state().slow_log().Latest(
      count < 0 ? SIZE_MAX : static_cast<std::size_t>(count));
  ReplyWriter& reply = call.reply;
  reply.Array(entries.size());
  for (const SlowLog::Entry& entry : entries) {
    reply.Array(6);
    reply.Integer(static_cast<std::int64_t>(entry.id));
    reply.Integer(entry.unix_s);
    reply.Integer(entry.usec);
    reply.Array(entry.args.size());
    for (const std::string& arg : entry.args) reply.Bulk(arg);
    reply.Bulk(entry.address);
    reply.Bulk(entry.name);
  }
}

void SlowlogLen(SessionCall& call) {
  call.reply.Integer(static_cast<std::int64_t>(call.session.state().slow_log().size()));
}

void SlowlogReset(SessionCall& call) {
  call.session.state().slow_log().Reset();
  call.reply.Ok();
}

void SlowlogHelp(SessionCall& call) {
  static constexpr std::string_view kLines[] = {
      "GET [<count>]",
      "    What took longest, the latest first: id, time, microseconds, arguments, the client.",
      "LEN",
      "    How many there are.",
      "RESET",
      "    Forgets them.",
  };
  WriteHelp(call.reply, "SLOWLOG", kLines);
}

// ---- MEMORY ----

// About what an entry of the log, its place in the index and in the cache take besides its bytes.
constexpr std::uint64_t kObjectOverheadBytes = 96;
constexpr std::int64_t kDefaultSamples = 5;

// Of an object: its bytes and what stands around them. Of columns, as many as are asked for are
// looked at, and stand for the others.
Status MemoryUsage(DataCall& call) {
  std::int64_t samples = kDefaultSamples;
  for (std::size_t i = 3; i < call.args.size(); i += 2) {
    if (!IsWord(call.arg(i), "samples") || i + 1 == call.args.size()) {
      call.reply.Error(kSyntaxError);
      return OkStatus();
    }
    const auto given = ParseInteger(call.arg(i + 1));
    if (!given || *given < 0) {
      call.reply.Error(given ? kSyntaxError : kNotAnInteger);
      return OkStatus();
    }
    samples = *given;
  }
  const KeyView row = call.row(2);
  CIREIN_ASSIGN_OR_RETURN(const RowState state, call.transaction.GetRow(row));
  if (!state.exists()) {
    call.reply.Null();
    return OkStatus();
  }
  const std::uint64_t objects = state.columns + (state.has_object ? 1 : 0);
  const std::uint64_t most = samples == 0 ? objects : static_cast<std::uint64_t>(samples);
  std::uint64_t seen = 0;
  std::uint64_t bytes = 0;
  CIREIN_RETURN_IF_ERROR(call.transaction.WalkRow(
      row, Load::kSizes, [&](const KeyView& key, const StoredObject& stored) {
        bytes += key.column.size() + stored.meta_bytes + stored.data_bytes + kObjectOverheadBytes;
        return ++seen < most;
      }));
  if (seen != 0) bytes = bytes * objects / seen;
  call.reply.Integer(static_cast<std::int64_t>(bytes + row.row.size()));
  return OkStatus();
}

void MemoryHelp(SessionCall& call) {
  static constexpr std::string_view kLines[] = {
      "USAGE <key> [SAMPLES <count>]",
      "    About how many bytes a key takes: its own, and what stands around them.",
  };
  WriteHelp(call.reply, "MEMORY", kLines);
}

constexpr std::uint32_t kAdminFlags = kAdmin | kLoading | kStale;

CommandSpec Spec(std::string_view name, std::int16_t arity, std::uint32_t flags,
                 std::string_view since, std::string_view summary, std::string_view syntax,
                 SessionHandler handler) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .keys = {},
          .group = "server",
          .since = since,
          .summary = summary,
          .syntax = syntax,
          .data = nullptr,
          .session = handler,
          .subcommands = {}};
}

CommandSpec WithSubcommands(CommandSpec spec, std::span<const CommandSpec> subcommands) {
  spec.subcommands = subcommands;
  return spec;
}

CommandSpec MemoryUsageSpec() {
  CommandSpec spec = Spec("usage", -3, kReadOnly, "4.0.0", "About how many bytes a key takes.",
                          "key [SAMPLES count]", nullptr);
  spec.keys = {2, 2, 1};
  spec.data = MemoryUsage;
  return spec;
}

CommandSpec WaitSpec() {
  CommandSpec spec =
      Spec("wait", 3, kNoScript | kBlocking, "3.0.0",
           "Waits for replicas, of which there are none.", "numreplicas timeout", Wait);
  spec.group = "generic";
  return spec;
}

}  // namespace

std::span<const CommandSpec> ServerCommands() {
  static const CommandSpec slowlog[] = {
      Spec("get", -2, kAdminFlags, "2.2.12", "The commands that took longest.", "[count]",
           SlowlogGet),
      Spec("help", 2, kLoading | kStale, "6.2.0", "Tells of the subcommands.", "", SlowlogHelp),
      Spec("len", 2, kAdminFlags, "2.2.12", "How many there are.", "", SlowlogLen),
      Spec("reset", 2, kAdminFlags, "2.2.12", "Forgets them.", "", SlowlogReset),
  };
  static const CommandSpec memory[] = {
      Spec("help", 2, kLoading | kStale, "4.0.0", "Tells of the subcommands.", "", MemoryHelp),
      MemoryUsageSpec(),
  };
  static const CommandSpec commands[] = {
      CommandCommand(),
      ConfigCommand(),
      InfoCommand(),
      WithSubcommands(Spec("memory", -2, 0, "4.0.0", "About memory.", "", nullptr), memory),
      Spec("shutdown", -1, kAdmin | kNoScript | kLoading | kStale | kNoMulti, "1.0.0",
           "Ends the server in order.", "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]", Shutdown),
      WithSubcommands(
          Spec("slowlog", -2, 0, "2.2.12", "About commands that took long.", "", nullptr), slowlog),
      Spec("time", 1, kLoading | kStale | kFast, "2.6.0", "The server's time.", "", Time),
      WaitSpec(),
  };
  return commands;
}

}  // namespace cirein::resp
