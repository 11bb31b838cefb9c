// SPDX-License-Identifier: Apache-2.0

// What concerns the connection: PING, ECHO, HELLO, AUTH, SELECT, QUIT, RESET; CLIENT stands in
// client_commands.cc.

#include <array>
#include <optional>

#include <fmt/format.h>

#include "resp/number.h"
#include "resp/server_handlers.h"
#include "resp/session.h"

namespace cirein::resp {
namespace {

constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";
constexpr std::string_view kOnlyUser = "default";

void Ping(SessionCall& call) {
  if (call.args.size() > 2) {
    return call.reply.Error("ERR wrong number of arguments for 'ping' command");
  }
  if (call.args.size() == 2) return call.reply.Bulk(call.args[1].text());
  call.reply.Simple("PONG");
}

void Echo(SessionCall& call) { call.reply.Bulk(call.args[1].text()); }

// True when these are right; the session is then authenticated.
bool Authenticate(Session& session, std::string_view user, std::string_view password) {
  const ServerParameters& parameters = session.state().parameters();
  // Without a password the only user needs none, and takes any.
  const bool right =
      user == kOnlyUser && (!parameters.has_password() || parameters.IsPassword(password));
  if (right) session.set_authenticated();
  return right;
}

void Auth(SessionCall& call) {
  if (call.args.size() > 3) return call.reply.Error(kSyntaxError);
  if (call.args.size() == 2 && !call.session.state().parameters().has_password()) {
    return call.reply.Error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  const std::string_view user = call.args.size() == 3 ? call.args[1].text() : kOnlyUser;
  if (!Authenticate(call.session, user, call.args.back().text())) {
    return call.reply.Error(kWrongPassword);
  }
  call.reply.Ok();
}

bool IsName(std::string_view name) {
  for (const char c : name) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

void WriteHello(SessionCall& call) {
  ReplyWriter& reply = call.reply;
  reply.Map(7);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(static_cast<int>(call.session.protocol()));
  reply.Bulk("id");
  reply.Integer(static_cast<std::int64_t>(call.session.card().id()));
  reply.Bulk("mode");
  reply.Bulk("standalone");
  reply.Bulk("role");
  reply.Bulk("master");
  reply.Bulk("modules");
  reply.Array(0);
}

// HELLO's options, in their order. False with a reply that says what is wrong.
bool TakeHelloOptions(SessionCall& call, std::optional<std::string_view>* name) {
  for (std::size_t i = 2; i < call.args.size(); ++i) {
    const std::size_t more = call.args.size() - 1 - i;
    const std::string_view word = call.args[i].text();
    if (IsWord(word, "auth") && more >= 2) {
      if (!Authenticate(call.session, call.args[i + 1].text(), call.args[i + 2].text())) {
        call.reply.Error(kWrongPassword);
        return false;
      }
      i += 2;
    } else if (IsWord(word, "setname") && more >= 1) {
      if (!IsName(call.args[i + 1].text())) {
        call.reply.Error(kBadName);
        return false;
      }
      *name = call.args[++i].text();
    } else {
      call.reply.Error(fmt::format("ERR Syntax error in HELLO option '{}'", word));
      return false;
    }
  }
  return true;
}

void Hello(SessionCall& call) {
  Session& session = call.session;
  Protocol protocol = session.protocol();
  if (call.args.size() > 1) {
    const auto version = ParseInteger(call.args[1].text());
    if (!version) {
      return call.reply.Error("ERR Protocol version is not an integer or out of range");
    }
    if (*version < 2 || *version > 3) {
      return call.reply.Error("NOPROTO unsupported protocol version");
    }
    protocol = static_cast<Protocol>(*version);
  }
  std::optional<std::string_view> name;
  const bool taken = TakeHelloOptions(call, &name);
  // As in Redis a name is set also where an option behind it is wrong; but not by strangers.
  if (name && session.authenticated()) session.card().set_name(*name);
  if (!taken) return;
  if (!session.authenticated()) {
    return call.reply.Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
        "protocol version at the same time");
  }
  session.set_protocol(protocol);
  call.reply.set_protocol(protocol);
  WriteHello(call);
}

void Select(SessionCall& call) {
  const auto index = ParseInteger(call.args[1].text());
  if (!index) return call.reply.Error(kNotAnInteger);
  if (*index < INT32_MIN || *index > INT32_MAX) {
    return call.reply.Error(
        "ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*index != 0) return call.reply.Error("ERR DB index is out of range");
  call.reply.Ok();
}

void Quit(SessionCall& call) {
  call.session.CloseAfterReply();
  call.reply.Ok();
}

void Reset(SessionCall& call) {
  call.session.Reset();
  call.reply.set_protocol(Protocol::kResp2);
  call.reply.Simple("RESET");
}

constexpr std::uint32_t kCommon = kNoScript | kLoading | kStale | kFast;

}  // namespace

std::span<const CommandSpec> ConnectionCommands() {
  static const CommandSpec commands[] = {
      {.name = "ping",
       .arity = -1,
       .flags = kFast,
       .group = "connection",
       .since = "1.0.0",
       .summary = "Answers PONG, or with what it was given.",
       .syntax = "[message]",
       .session = Ping},
      {.name = "echo",
       .arity = 2,
       .flags = kFast | kLoading | kStale,
       .group = "connection",
       .since = "1.0.0",
       .summary = "Answers with what it was given.",
       .syntax = "message",
       .session = Echo},
      {.name = "hello",
       .arity = -1,
       .flags = kCommon | kNoAuth,
       .group = "connection",
       .since = "6.0.0",
       .summary = "Begins a connection: which protocol, who.",
       .syntax = "[protover [AUTH username password] [SETNAME clientname]]",
       .session = Hello},
      {.name = "auth",
       .arity = -2,
       .flags = kCommon | kNoAuth,
       .group = "connection",
       .since = "1.0.0",
       .summary = "Says the password.",
       .syntax = "[username] password",
       .session = Auth},
      {.name = "select",
       .arity = 2,
       .flags = kLoading | kStale | kFast,
       .group = "connection",
       .since = "1.0.0",
       .summary = "Chooses a database, of which there is one: 0.",
       .syntax = "index",
       .session = Select},
      {.name = "quit",
       .arity = -1,
       .flags = kCommon | kNoAuth | kNotQueued,
       .group = "connection",
       .since = "1.0.0",
       .summary = "Ends the connection.",
       .syntax = "",
       .session = Quit},
      {.name = "reset",
       .arity = 1,
       .flags = kCommon | kNoAuth | kNotQueued,
       .group = "connection",
       .since = "6.2.0",
       .summary = "Makes the connection as if it were new.",
       .syntax = "",
       .session = Reset},
      ClientCommand(),
  };
  return commands;
}

}  // namespace cirein::resp
