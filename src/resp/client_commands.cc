// SPDX-License-Identifier: Apache-2.0

// CLIENT: who is connected, and what becomes of them.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "resp/number.h"
#include "resp/server_handlers.h"
#include "resp/session.h"

namespace cirein::resp {
namespace {

using CardPtr = std::shared_ptr<ClientCard>;

std::int64_t NowMs(Session& session) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(session.host().now()).count();
}

std::string FlagsOf(const ClientCard& card) {
  std::string flags;
  if (card.queued.load() >= 0) flags += 'x';
  if (card.blocked.load()) flags += 'b';
  if (card.closing.load()) flags += 'c';
  if (card.is_path.load()) flags += 'U';
  if (card.no_evict.load()) flags += 'e';
  if (card.no_touch.load()) flags += 'T';
  return flags.empty() ? "N" : flags;
}

// As Redis shows a client, with its zeros for what there is not here.
std::string LineOf(const ClientCard& card, std::int64_t now_ms) {
  const ClientCard::Names names = card.names();
  const CommandEntry* const last = card.last_command.load();
  const std::uint64_t input = card.input_bytes.load();
  const std::uint64_t output = card.output_bytes.load();
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db=0 sub=0 psub=0 ssub=0 "
      "multi={} watch={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll={} "
      "omem={} tot-mem={} events={} cmd={} user=default redir=-1 resp={} lib-name={} lib-ver={}\n",
      card.id(), card.address(), card.local_address(), card.descriptor.load(), names.name,
      (now_ms - card.created_ms.load()) / 1000, (now_ms - card.active_ms.load()) / 1000,
      FlagsOf(card), card.queued.load(), card.watched.load(), input, output == 0 ? 0 : 1, output,
      sizeof(Session) + input + output, output == 0 ? "r" : "rw",
      last == nullptr ? "NULL" : last->full_name, card.protocol.load(), names.library,
      names.library_version);
}

void Id(SessionCall& call) {
  call.reply.Integer(static_cast<std::int64_t>(call.session.card().id()));
}

bool IsName(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

void SetName(SessionCall& call) {
  const std::string_view name = call.args[2].text();
  if (!IsName(name)) return call.reply.Error(kBadName);
  call.session.card().set_name(name);
  call.reply.Ok();
}

void GetName(SessionCall& call) {
  const std::string name = call.session.card().names().name;
  if (name.empty()) return call.reply.Null();
  call.reply.Bulk(name);
}

void SetInfo(SessionCall& call) {
  const std::string_view option = call.args[2].text();
  const std::string_view value = call.args[3].text();
  const bool is_name = IsWord(option, "lib-name");
  if (!is_name && !IsWord(option, "lib-ver")) {
    return call.reply.Error(fmt::format("ERR Unrecognized option '{}'", option));
  }
  if (!IsName(value)) {
    return call.reply.Error(
        fmt::format("ERR {} cannot contain spaces, newlines or special characters.",
                    is_name ? "lib-name" : "lib-ver"));
  }
  if (is_name) {
    call.session.card().set_library(value);
  } else {
    call.session.card().set_library_version(value);
  }
  call.reply.Ok();
}

void WriteLines(SessionCall& call, const std::vector<CardPtr>& cards) {
  call.session.UpdateCard();
  call.session.card().last_command.store(&call.session.command());
  std::string lines;
  for (const CardPtr& card : cards) lines += LineOf(*card, NowMs(call.session));
  call.reply.Verbatim("txt", lines);
}

void Info(SessionCall& call) { WriteLines(call, {call.session.shared_card()}); }

// Of Redis's types of clients there is one here.
enum class ClientType : std::uint8_t { kNormal, kOther };

std::optional<ClientType> ParseType(std::string_view word) {
  if (IsWord(word, "normal")) return ClientType::kNormal;
  for (const std::string_view other : {"replica", "slave", "master", "pubsub"}) {
    if (IsWord(word, other)) return ClientType::kOther;
  }
  return std::nullopt;
}

void List(SessionCall& call) {
  ClientRegistry& clients = call.session.state().clients();
  if (call.args.size() == 2) return WriteLines(call, clients.All());
  if (IsWord(call.args[2].text(), "type") && call.args.size() == 4) {
    const auto type = ParseType(call.args[3].text());
    if (!type) {
      return call.reply.Error(fmt::format("ERR Unknown client type '{}'", call.args[3].text()));
    }
    return WriteLines(call, *type == ClientType::kNormal ? clients.All() : std::vector<CardPtr>());
  }
  if (!IsWord(call.args[2].text(), "id") || call.args.size() < 4) {
    return call.reply.Error(kSyntaxError);
  }
  std::vector<CardPtr> cards;
  for (const Arg& arg : call.args.subspan(3)) {
    const auto id = ParseInteger(arg.text());
    if (!id) return call.reply.Error("ERR Invalid client ID");
    if (CardPtr card = clients.Find(static_cast<std::uint64_t>(*id))) cards.push_back(card);
  }
  WriteLines(call, cards);
}

// Which clients CLIENT KILL means.
struct KillFilter {
  std::optional<std::uint64_t> id;
  std::optional<std::string_view> address;
  std::optional<std::string_view> local_address;
  std::optional<std::string_view> user;
  std::optional<ClientType> type;
  bool skips_self = true;

  bool Matches(const ClientCard& card, const ClientCard& self) const {
    return !(id && card.id() != *id) && !(address && card.address() != *address) &&
           !(local_address && card.local_address() != *local_address) &&
           !(user && *user != "default") && !(type && *type != ClientType::kNormal) &&
           !(skips_self && card.id() == self.id());
  }
};

// An error, or empty.
std::string ParseKillOption(std::string_view option, std::string_view value, KillFilter& filter) {
  if (IsWord(option, "id")) {
    const auto id = ParseInteger(value);
    if (!id || *id <= 0) return "ERR client-id should be greater than 0";
    filter.id = static_cast<std::uint64_t>(*id);
  } else if (IsWord(option, "type")) {
    filter.type = ParseType(value);
    if (!filter.type) return fmt::format("ERR Unknown client type '{}'", value);
  } else if (IsWord(option, "addr")) {
    filter.address = value;
  } else if (IsWord(option, "laddr")) {
    filter.local_address = value;
  } else if (IsWord(option, "user")) {
    if (value != "default") return fmt::format("ERR No such user '{}'", value);
    filter.user = value;
  } else if (IsWord(option, "skipme")) {
    if (!IsWord(value, "yes") && !IsWord(value, "no")) return std::string(kSyntaxError);
    filter.skips_self = IsWord(value, "yes");
  } else {
    return std::string(kSyntaxError);
  }
  return {};
}

std::int64_t KillAll(Session& session, const KillFilter& filter) {
  std::int64_t killed = 0;
  bool self = false;
  for (const CardPtr& card : session.state().clients().All()) {
    if (!filter.Matches(*card, session.card())) continue;
    ++killed;
    if (card->id() == session.card().id()) {
      self = true;
    } else {
      card->Post([](Session& there) { there.Kill(); });
    }
  }
  if (self) session.CloseAfterReply();
  return killed;
}

void Kill(SessionCall& call) {
  KillFilter filter;
  if (call.args.size() == 3) {
    filter.address = call.args[2].text();
    filter.skips_self = false;
    if (KillAll(call.session, filter) == 0) return call.reply.Error("ERR No such client");
    return call.reply.Ok();
  }
  for (std::size_t i = 2; i < call.args.size(); i += 2) {
    if (i + 1 == call.args.size()) return call.reply.Error(kSyntaxError);
    const std::string error = ParseKillOption(call.args[i].text(), call.args[i + 1].text(), filter);
    if (!error.empty()) return call.reply.Error(error);
  }
  call.reply.Integer(KillAll(call.session, filter));
}

void Reply(SessionCall& call) {
  const std::string_view mode = call.args[2].text();
  if (IsWord(mode, "on")) {
    call.session.set_reply_mode(Session::ReplyMode::kOn);
    call.reply.Ok();
  } else if (IsWord(mode, "off")) {
    call.session.set_reply_mode(Session::ReplyMode::kOff);
  } else if (IsWord(mode, "skip")) {
    call.session.set_reply_mode(Session::ReplyMode::kSkipNext);
  } else {
    call.reply.Error(kSyntaxError);
  }
}

void SetFlag(SessionCall& call, std::atomic<bool>& flag) {
  const std::string_view word = call.args[2].text();
  const bool on = IsWord(word, "on");
  if (!on && !IsWord(word, "off")) return call.reply.Error(kSyntaxError);
  flag.store(on);
  call.reply.Ok();
}

// Nothing is evicted, and nothing ordered by its last use, here.
void NoEvict(SessionCall& call) { SetFlag(call, call.session.card().no_evict); }
void NoTouch(SessionCall& call) { SetFlag(call, call.session.card().no_touch); }

void Unblock(SessionCall& call) {
  bool with_error = false;
  if (call.args.size() == 4) {
    with_error = IsWord(call.args[3].text(), "error");
    if (!with_error && !IsWord(call.args[3].text(), "timeout")) {
      return call.reply.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
  } else if (call.args.size() > 4) {
    return call.reply.Error("ERR wrong number of arguments for 'client|unblock' command");
  }
  const auto id = ParseInteger(call.args[2].text());
  if (!id) return call.reply.Error(kNotAnInteger);
  const CardPtr card = call.session.state().clients().Find(static_cast<std::uint64_t>(*id));
  if (card == nullptr || !card->blocked.load()) return call.reply.Integer(0);
  const bool posted = card->Post([with_error](Session& there) {
    if (!with_error) {
      there.ExpireBlocked();
      return;
    }
    there.InterruptBlocked([](Session&, ReplyWriter& reply) {
      reply.Error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    });
  });
  call.reply.Integer(posted ? 1 : 0);
}

void Help(SessionCall& call) {
  static constexpr std::string_view kLines[] = {
      "GETNAME",
      "    The connection's name.",
      "ID",
      "    The connection's number.",
      "INFO",
      "    What is known of this connection.",
      "KILL <ip:port> | <option> <value> [<option> <value> ...]",
      "    Ends connections: ADDR, LADDR, ID, TYPE, USER, SKIPME.",
      "LIST [TYPE <type> | ID <id> [<id> ...]]",
      "    What is known of all connections.",
      "NO-EVICT (ON|OFF)",
      "    Taken, and without effect: clients are not evicted.",
      "NO-TOUCH (ON|OFF)",
      "    Taken, and without effect: keys are not ordered by their last use.",
      "REPLY (ON|OFF|SKIP)",
      "    Which commands are answered.",
      "SETINFO (LIB-NAME|LIB-VER) <value>",
      "    Says what the client is.",
      "SETNAME <name>",
      "    Gives the connection a name.",
      "UNBLOCK <id> [TIMEOUT|ERROR]",
      "    Ends the waiting of a connection.",
  };
  WriteHelp(call.reply, "CLIENT", kLines);
}

constexpr std::uint32_t kCommon = kNoScript | kLoading | kStale;
constexpr std::uint32_t kAdminOnly = kCommon | kAdmin;

CommandSpec Sub(std::string_view name, std::int16_t arity, std::uint32_t flags,
                std::string_view since, std::string_view summary, std::string_view syntax,
                SessionHandler handler) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .keys = {},
          .group = "connection",
          .since = since,
          .summary = summary,
          .syntax = syntax,
          .data = nullptr,
          .session = handler,
          .subcommands = {}};
}

}  // namespace

void WriteHelp(ReplyWriter& reply, std::string_view command,
               std::span<const std::string_view> lines) {
  reply.Array(lines.size() + 3);
  reply.Simple(fmt::format("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", command));
  for (const std::string_view line : lines) reply.Simple(line);
  reply.Simple("HELP");
  reply.Simple("    Print this help.");
}

CommandSpec ClientCommand() {
  static const CommandSpec subcommands[] = {
      Sub("getname", 2, kCommon, "2.6.9", "The connection's name.", "", GetName),
      Sub("help", 2, kLoading | kStale, "5.0.0", "Tells of the subcommands.", "", Help),
      Sub("id", 2, kCommon, "5.0.0", "The connection's number.", "", Id),
      Sub("info", 2, kCommon, "6.2.0", "What is known of the connection.", "", Info),
      Sub("kill", -3, kAdminOnly, "2.4.0", "Ends connections.",
          "ip:port | [ID client-id] [TYPE type] [USER username] [ADDR ip:port] [LADDR ip:port] "
          "[SKIPME yes|no]",
          Kill),
      Sub("list", -2, kAdminOnly, "2.4.0", "What is known of all connections.",
          "[TYPE type] [ID client-id [client-id ...]]", List),
      Sub("no-evict", 3, kAdminOnly, "7.0.0", "Taken, and without effect.", "ON | OFF", NoEvict),
      Sub("no-touch", 3, kCommon, "7.2.0", "Taken, and without effect.", "ON | OFF", NoTouch),
      Sub("reply", 3, kCommon, "3.2.0", "Which commands are answered.", "ON | OFF | SKIP", Reply),
      Sub("setinfo", 4, kCommon, "7.2.0", "Says what the client is.",
          "LIB-NAME libname | LIB-VER libver", SetInfo),
      Sub("setname", 3, kCommon, "2.6.9", "Gives the connection a name.", "connection-name",
          SetName),
      Sub("unblock", -3, kAdminOnly, "5.0.0", "Ends the waiting of a connection.",
          "client-id [TIMEOUT | ERROR]", Unblock),
  };
  CommandSpec spec = Sub("client", -2, 0, "2.4.0", "About connections.", "", nullptr);
  spec.subcommands = subcommands;
  return spec;
}

}  // namespace cirein::resp
