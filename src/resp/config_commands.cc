// SPDX-License-Identifier: Apache-2.0

// CONFIG: what is set, under the names that Redis has for it.

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "resp/glob.h"
#include "resp/number.h"
#include "resp/server_handlers.h"
#include "resp/session.h"

namespace cirein::resp {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMostInt = std::numeric_limits<std::int32_t>::max();

/// A parameter: how it reads, and how it is set. `set` gives an error, or an empty text.
struct Parameter {
  std::string_view name;
  std::string (*get)(ServerState& state);
  std::string (*set)(ServerState& state, std::string_view value) = nullptr;  ///< Null: it cannot.
};

std::string SetNumber(std::atomic<std::uint64_t>& target, std::string_view value,
                      std::int64_t least, std::int64_t most) {
  const auto number = ParseInteger(value);
  if (!number) return "argument couldn't be parsed into an integer";
  if (*number < least || *number > most) {
    return fmt::format("argument must be between {} and {} inclusive", least, most);
  }
  target.store(static_cast<std::uint64_t>(*number));
  return {};
}

// A number of bytes with Redis's units: k and kb, m and mb, g and gb.
std::optional<std::int64_t> ParseMemory(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = ParseInteger(text.substr(0, digits));
  if (!number) return std::nullopt;
  static constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"", 1},         {"b", 1},        {"k", 1000},         {"kb", 1024},
      {"m", 1000'000}, {"mb", 1 << 20}, {"g", 1000'000'000}, {"gb", 1 << 30}};
  const std::string unit = AsciiLower(text.substr(digits));
  for (const auto& [name, factor] : kUnits) {
    if (unit == name && *number <= kMost / factor) return *number * factor;
  }
  return std::nullopt;
}

std::string SetBytes(std::atomic<std::uint64_t>& target, std::string_view value,
                     std::int64_t least) {
  const auto bytes = ParseMemory(value);
  if (!bytes) return "argument must be a memory value";
  if (*bytes < least) {
    return fmt::format("argument must be between {} and {} inclusive", least, kMost);
  }
  target.store(static_cast<std::uint64_t>(*bytes));
  return {};
}

std::string Number(const std::atomic<std::uint64_t>& value) { return std::to_string(value.load()); }

std::string Told(ServerState& state, const std::string& name) {
  const auto told = state.told();
  const auto found = told.find(name);
  return found == told.end() ? std::string() : found->second;
}

// Redis's four levels, for ours.
std::string GetLogLevel(ServerState&) {
  switch (CurrentLogLevel()) {
    case LogLevel::kTrace:
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "notice";
    default:
      return "warning";
  }
}

std::string SetLogLevelWord(ServerState&, std::string_view value) {
  if (IsWord(value, "debug")) {
    SetLogLevel(LogLevel::kDebug);
  } else if (IsWord(value, "verbose") || IsWord(value, "notice")) {
    SetLogLevel(LogLevel::kInfo);
  } else if (IsWord(value, "warning")) {
    SetLogLevel(LogLevel::kWarn);
  } else {
    return "argument(s) must be one of the following: debug, verbose, notice, warning";
  }
  return {};
}

std::string GetOutputLimit(ServerState& state) {
  return fmt::format("normal {} 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
                     state.parameters().output_limit_bytes.load());
}

// "normal HARD SOFT SECONDS", of which the hard limit counts; other classes are not here.
std::string SetOutputLimit(ServerState& state, std::string_view value) {
  std::string storage;
  std::vector<Arg> words;
  if (!SplitWords(value, storage, words) || words.empty() || words.size() % 4 != 0) {
    return "Wrong number of arguments in buffer limit configuration.";
  }
  for (std::size_t i = 0; i < words.size(); i += 4) {
    const auto hard = ParseMemory(words[i + 1].text());
    if (!hard) return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    if (IsWord(words[i].text(), "normal")) {
      state.parameters().output_limit_bytes.store(static_cast<std::uint64_t>(*hard));
    } else if (!IsWord(words[i].text(), "slave") && !IsWord(words[i].text(), "replica") &&
               !IsWord(words[i].text(), "pubsub")) {
      return "Invalid client class specified in buffer limit configuration.";
    }
  }
  return {};
}

// A parameter whose value is always the same may be set to it: tools do so.
template <std::string_view (*kValue)()>
std::string SetSame(ServerState&, std::string_view value) {
  if (AsciiLower(value) == kValue()) return {};
  return fmt::format("it is always '{}' here, see docs/redis.md", kValue());
}

std::string_view Yes() { return "yes"; }
std::string_view No() { return "no"; }
std::string_view Zero() { return "0"; }
std::string_view Empty() { return ""; }
std::string_view NoEviction() { return "noeviction"; }

template <std::string_view (*kValue)()>
constexpr Parameter Same(std::string_view name) {
  return {.name = name,
          .get = [](ServerState&) { return std::string(kValue()); },
          .set = SetSame<kValue>};
}

std::span<const Parameter> Parameters() {
  using State = ServerState;
  static const Parameter parameters[] = {
      Same<Yes>("activerehashing"),
      Same<No>("activedefrag"),
      {"appendfsync", [](State& state) { return state.options().fsync; },
       [](State& state, std::string_view value) -> std::string {
         if (AsciiLower(value) == state.options().fsync) return {};
         return "a pool's durability never changes: make another one with --durability";
       }},
      Same<Yes>("appendonly"),
      {"bind", [](State& state) { return Told(state, "bind"); }},
      {"client-output-buffer-limit", GetOutputLimit, SetOutputLimit},
      {"client-query-buffer-limit",
       [](State& state) { return Number(state.parameters().query_limit_bytes); },
       [](State& state, std::string_view value) {
         return SetBytes(state.parameters().query_limit_bytes, value, 1 << 20);
       }},
      Same<No>("cluster-enabled"),
      Same<No>("daemonize"),
      {"databases", [](State&) { return std::string("1"); }},
      {"dir", [](State& state) { return Told(state, "dir"); }},
      {"io-threads", [](State& state) { return Told(state, "io-threads"); }},
      Same<No>("lazyfree-lazy-user-del"),
      {"loglevel", GetLogLevel, SetLogLevelWord},
      {"maxclients", [](State& state) { return Number(state.parameters().max_clients); },
       [](State& state, std::string_view value) {
         return SetNumber(state.parameters().max_clients, value, 1, kMostInt);
       }},
      Same<Zero>("maxmemory"),
      Same<Zero>("maxmemory-clients"),
      Same<NoEviction>("maxmemory-policy"),
      {"port", [](State& state) { return Told(state, "port"); }},
      {"proto-max-bulk-len", [](State& state) { return Number(state.parameters().max_bulk_bytes); },
       [](State& state, std::string_view value) {
         return SetBytes(state.parameters().max_bulk_bytes, value, 1 << 20);
       }},
      Same<Yes>("protected-mode"),
      {"requirepass", [](State& state) { return state.parameters().password(); },
       [](State& state, std::string_view value) -> std::string {
         if (value.empty() && Told(state, "remote") == "yes") {
           return "other machines can reach this server: it needs a password";
         }
         state.parameters().set_password(value);
         return {};
       }},
      Same<Empty>("save"),
      {"slowlog-log-slower-than",
       [](State& state) { return std::to_string(state.parameters().slowlog_usec.load()); },
       [](State& state, std::string_view value) -> std::string {
         const auto number = ParseInteger(value);
         if (!number) return "argument couldn't be parsed into an integer";
         if (*number < -1) {
           return fmt::format("argument must be between -1 and {} inclusive", kMost);
         }
         state.parameters().slowlog_usec.store(*number);
         return {};
       }},
      {"slowlog-max-len", [](State& state) { return Number(state.parameters().slowlog_entries); },
       [](State& state, std::string_view value) {
         return SetNumber(state.parameters().slowlog_entries, value, 0, 1'000'000);
       }},
      {"tcp-keepalive", [](State& state) { return Number(state.parameters().keepalive_s); },
       [](State& state, std::string_view value) {
         return SetNumber(state.parameters().keepalive_s, value, 0, kMostInt);
       }},
      {"timeout", [](State& state) { return Number(state.parameters().idle_timeout_s); },
       [](State& state, std::string_view value) {
         return SetNumber(state.parameters().idle_timeout_s, value, 0, kMostInt);
       }},
      {"unixsocket", [](State& state) { return Told(state, "unixsocket"); }},
      {"unixsocketperm", [](State&) { return std::string("600"); }},
  };
  return parameters;
}

const Parameter* FindParameter(std::string_view name) {
  for (const Parameter& parameter : Parameters()) {
    if (IsWord(name, parameter.name)) return &parameter;
  }
  return nullptr;
}

void Get(SessionCall& call) {
  std::map<std::string_view, std::string> found;
  for (const Arg& arg : call.args.subspan(2)) {
    const std::string pattern = AsciiLower(arg.text());
    for (const Parameter& parameter : Parameters()) {
      if (GlobMatches(pattern, parameter.name)) {
        found.emplace(parameter.name, parameter.get(call.session.state()));
      }
    }
  }
  call.reply.Map(found.size());
  for (const auto& [name, value] : found) {
    call.reply.Bulk(name);
    call.reply.Bulk(value);
  }
}

std::string SetError(std::string_view name, std::string_view error) {
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name, error);
}

void Set(SessionCall& call) {
  ServerState& state = call.session.state();
  if (call.args.size() % 2 != 0) return call.reply.Error(kSyntaxError);
  std::vector<std::pair<const Parameter*, std::string_view>> changes;
  for (std::size_t i = 2; i < call.args.size(); i += 2) {
    const std::string_view name = call.args[i].text();
    const Parameter* const parameter = FindParameter(name);
    if (parameter == nullptr) {
      return call.reply.Error(
          fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", name));
    }
    for (const auto& [earlier, value] : changes) {
      if (earlier == parameter) return call.reply.Error(SetError(name, "duplicate parameter"));
    }
    if (parameter->set == nullptr) {
      return call.reply.Error(SetError(name, "can't set immutable config"));
    }
    changes.emplace_back(parameter, call.args[i + 1].text());
  }
  // All or none: those that were set before one that cannot be are put back.
  std::vector<std::string> before;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto& [parameter, value] = changes[i];
    before.push_back(parameter->get(state));
    const std::string error = parameter->set(state, value);
    if (error.empty()) continue;
    for (std::size_t j = i; j-- > 0;) changes[j].first->set(state, before[j]);
    return call.reply.Error(SetError(parameter->name, error));
  }
  call.reply.Ok();
}

void ResetStat(SessionCall& call) {
  call.session.state().ResetCounters();
  call.reply.Ok();
}

void Rewrite(SessionCall& call) {
  call.reply.Error("ERR The server is running without a config file");
}

void Help(SessionCall& call) {
  static constexpr std::string_view kLines[] = {
      "GET <pattern>",
      "    The parameters whose names match, and their values.",
      "SET <directive> <value>",
      "    Changes a parameter, until the server ends.",
      "RESETSTAT",
      "    Lets the counters of INFO begin at zero.",
      "REWRITE",
      "    Not here: there is no file of parameters.",
  };
  WriteHelp(call.reply, "CONFIG", kLines);
}

constexpr std::uint32_t kFlags = kAdmin | kNoScript | kLoading | kStale;

CommandSpec Sub(std::string_view name, std::int16_t arity, std::uint32_t flags,
                std::string_view summary, std::string_view syntax, SessionHandler handler) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .keys = {},
          .group = "server",
          .since = "2.0.0",
          .summary = summary,
          .syntax = syntax,
          .data = nullptr,
          .session = handler,
          .subcommands = {}};
}

}  // namespace

CommandSpec ConfigCommand() {
  static const CommandSpec subcommands[] = {
      Sub("get", -3, kFlags, "The values of parameters.", "parameter [parameter ...]", Get),
      Sub("help", 2, kLoading | kStale, "Tells of the subcommands.", "", Help),
      Sub("resetstat", 2, kFlags, "Lets the counters of INFO begin at zero.", "", ResetStat),
      Sub("rewrite", 2, kFlags, "Not here: there is no file of parameters.", "", Rewrite),
      Sub("set", -4, kFlags, "Changes parameters.", "parameter value [parameter value ...]", Set),
  };
  CommandSpec spec = Sub("config", -2, 0, "About parameters.", "", nullptr);
  spec.subcommands = subcommands;
  return spec;
}

}  // namespace cirein::resp
