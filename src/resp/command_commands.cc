// SPDX-License-Identifier: Apache-2.0

// COMMAND: the table of commands, told to clients.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "resp/glob.h"
#include "resp/server_handlers.h"
#include "resp/session.h"

namespace cirein::resp {
namespace {

std::vector<std::string> FlagsOf(const CommandSpec& spec) {
  static constexpr std::pair<std::uint32_t, std::string_view> kNames[] = {
      {kWrite, "write"},
      {kReadOnly, "readonly"},
      {kDenyOom, "denyoom"},
      {kAdmin, "admin"},
      {kNoScript, "noscript"},
      {kBlocking, "blocking"},
      {kLoading, "loading"},
      {kStale, "stale"},
      {kFast, "fast"},
      {kNoAuth, "no_auth"},
      {kMovableKeys, "movablekeys"},
      {kNoMulti, "no_multi"},
  };
  std::vector<std::string> flags;
  for (const auto& [flag, name] : kNames) {
    if ((spec.flags & flag) != 0) flags.emplace_back(name);
  }
  return flags;
}

std::vector<std::string> CategoriesOf(const CommandSpec& spec) {
  std::vector<std::string> categories;
  if ((spec.flags & kWrite) != 0) categories.emplace_back("@write");
  if ((spec.flags & kReadOnly) != 0) categories.emplace_back("@read");
  if (spec.group == "generic") {
    categories.emplace_back("@keyspace");
  } else if (spec.group == "transactions") {
    categories.emplace_back("@transaction");
  } else if (spec.group != "server" && !spec.group.empty()) {
    categories.push_back(fmt::format("@{}", spec.group));
  }
  if ((spec.flags & kAdmin) != 0) {
    categories.emplace_back("@admin");
    categories.emplace_back("@dangerous");
  }
  if ((spec.flags & kBlocking) != 0) categories.emplace_back("@blocking");
  categories.emplace_back((spec.flags & kFast) != 0 ? "@fast" : "@slow");
  return categories;
}

void WriteWords(ReplyWriter& reply, const std::vector<std::string>& words) {
  reply.Set(words.size());
  for (const std::string& word : words) reply.Simple(word);
}

std::vector<std::string> KeyFlagsOf(const CommandSpec& spec) {
  if ((spec.flags & kWrite) == 0) return {"RO", "access"};
  return {"RW", "update"};
}

void WriteKeySpecs(ReplyWriter& reply, const CommandSpec& spec) {
  const KeyArguments& keys = spec.keys;
  if (keys.first <= 0) return reply.Array(0);
  reply.Array(1);
  reply.Map(3);
  reply.Bulk("flags");
  WriteWords(reply, KeyFlagsOf(spec));
  reply.Bulk("begin_search");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("index");
  reply.Bulk("spec");
  reply.Map(1);
  reply.Bulk("index");
  reply.Integer(keys.first);
  reply.Bulk("find_keys");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("range");
  reply.Bulk("spec");
  reply.Map(3);
  reply.Bulk("lastkey");
  reply.Integer(keys.last < 0 ? keys.last : keys.last - keys.first);
  reply.Bulk("keystep");
  reply.Integer(keys.step);
  reply.Bulk("limit");
  reply.Integer(0);
}

void WriteInfo(ReplyWriter& reply, const CommandEntry& entry) {
  const CommandSpec& spec = *entry.spec;
  reply.Array(10);
  reply.Bulk(entry.full_name);
  reply.Integer(spec.arity);
  WriteWords(reply, FlagsOf(spec));
  reply.Integer(spec.keys.first);
  reply.Integer(spec.keys.last);
  reply.Integer(spec.keys.step);
  WriteWords(reply, CategoriesOf(spec));
  reply.Array(0);  // Tips for proxies.
  WriteKeySpecs(reply, spec);
  reply.Array(entry.subcommands.size());
  for (const CommandEntry& sub : entry.subcommands) WriteInfo(reply, sub);
}

void WriteDocs(ReplyWriter& reply, const CommandEntry& entry) {
  const CommandSpec& spec = *entry.spec;
  reply.Bulk(entry.full_name);
  reply.Map(entry.subcommands.empty() ? 4 : 5);
  reply.Bulk("summary");
  reply.Bulk(spec.summary);
  reply.Bulk("since");
  reply.Bulk(spec.since);
  reply.Bulk("group");
  reply.Bulk(spec.group);
  reply.Bulk("syntax");
  reply.Bulk(spec.syntax);
  if (entry.subcommands.empty()) return;
  reply.Bulk("subcommands");
  reply.Map(entry.subcommands.size());
  for (const CommandEntry& sub : entry.subcommands) WriteDocs(reply, sub);
}

// By "name" or "name|subcommand"; null when there is none.
const CommandEntry* FindNamed(const CommandTable& table, std::string_view name) {
  const std::size_t bar = name.find('|');
  const CommandEntry* const entry = table.Find(name.substr(0, bar));
  if (entry == nullptr || bar == std::string_view::npos) return entry;
  return entry->Subcommand(name.substr(bar + 1));
}

void All(SessionCall& call) {
  const CommandTable& table = call.session.state().commands();
  call.reply.Array(table.commands().size());
  for (const CommandEntry& entry : table.commands()) WriteInfo(call.reply, entry);
}

void Count(SessionCall& call) {
  call.reply.Integer(static_cast<std::int64_t>(call.session.state().commands().commands().size()));
}

void Info(SessionCall& call) {
  if (call.args.size() == 2) return All(call);
  call.reply.Array(call.args.size() - 2);
  for (const Arg& arg : call.args.subspan(2)) {
    const CommandEntry* const entry = FindNamed(call.session.state().commands(), arg.text());
    if (entry == nullptr) {
      call.reply.NullArray();
    } else {
      WriteInfo(call.reply, *entry);
    }
  }
}

void Docs(SessionCall& call) {
  const CommandTable& table = call.session.state().commands();
  std::vector<const CommandEntry*> entries;
  if (call.args.size() == 2) {
    for (const CommandEntry& entry : table.commands()) entries.push_back(&entry);
  }
  for (const Arg& arg : call.args.subspan(2)) {
    if (const CommandEntry* const entry = FindNamed(table, arg.text())) entries.push_back(entry);
  }
  call.reply.Map(entries.size());
  for (const CommandEntry* const entry : entries) WriteDocs(call.reply, *entry);
}

void List(SessionCall& call) {
  std::string_view kind;
  std::string_view value;
  if (call.args.size() == 5 && IsWord(call.args[2].text(), "filterby")) {
    kind = call.args[3].text();
    value = call.args[4].text();
  } else if (call.args.size() != 2) {
    return call.reply.Error(kSyntaxError);
  }
  const bool by_module = IsWord(kind, "module");
  const bool by_category = IsWord(kind, "aclcat");
  const bool by_pattern = IsWord(kind, "pattern");
  if (!kind.empty() && !by_module && !by_category && !by_pattern) {
    return call.reply.Error(kSyntaxError);
  }
  std::vector<std::string_view> names;
  const auto add = [&](const CommandEntry& entry) {
    if (by_module) return;
    if (by_pattern && !GlobMatches(value, entry.full_name)) return;
    if (by_category) {
      const std::vector<std::string> categories = CategoriesOf(*entry.spec);
      const std::string wanted = "@" + std::string(value);
      if (std::find(categories.begin(), categories.end(), wanted) == categories.end()) return;
    }
    names.push_back(entry.full_name);
  };
  for (const CommandEntry& entry : call.session.state().commands().commands()) {
    add(entry);
    for (const CommandEntry& sub : entry.subcommands) add(sub);
  }
  call.reply.Array(names.size());
  for (const std::string_view name : names) call.reply.Bulk(name);
}

// The command that the arguments behind the second are, and its keys; null when they were answered
// with an error.
const CommandEntry* FindKeysOf(SessionCall& call, KeyIndices& keys) {
  const Args inner = call.args.subspan(2);
  const CommandEntry* const entry = call.session.state().commands().FindFor(inner);
  if (entry == nullptr) {
    call.reply.Error("ERR Invalid command specified");
    return nullptr;
  }
  if (entry->spec->keys.first == 0) {
    call.reply.Error("ERR The command has no key arguments");
    return nullptr;
  }
  if (!entry->has_arity(inner.size())) {
    call.reply.Error("ERR Invalid number of arguments specified for command");
    return nullptr;
  }
  FindKeys(*entry->spec, inner.size(), keys);
  return entry;
}

void GetKeys(SessionCall& call) {
  KeyIndices keys;
  if (FindKeysOf(call, keys) == nullptr) return;
  call.reply.Array(keys.size());
  for (const std::uint32_t key : keys) call.reply.Bulk(call.args[2 + key].text());
}

void GetKeysAndFlags(SessionCall& call) {
  KeyIndices keys;
  const CommandEntry* const entry = FindKeysOf(call, keys);
  if (entry == nullptr) return;
  call.reply.Array(keys.size());
  for (const std::uint32_t key : keys) {
    call.reply.Array(2);
    call.reply.Bulk(call.args[2 + key].text());
    WriteWords(call.reply, KeyFlagsOf(*entry->spec));
  }
}

void Help(SessionCall& call) {
  static constexpr std::string_view kLines[] = {
      "(no subcommand)",
      "    What is known of all commands.",
      "COUNT",
      "    How many commands there are.",
      "DOCS [<command-name> [...]]",
      "    What commands do.",
      "GETKEYS <full-command>",
      "    Which arguments of a command are keys.",
      "GETKEYSANDFLAGS <full-command>",
      "    The same, and what the command does with each.",
      "INFO [<command-name> [...]]",
      "    What is known of commands.",
      "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
      "    The names of commands.",
  };
  WriteHelp(call.reply, "COMMAND", kLines);
}

CommandSpec Sub(std::string_view name, std::int16_t arity, std::string_view since,
                std::string_view summary, std::string_view syntax, SessionHandler handler) {
  return {.name = name,
          .arity = arity,
          .flags = kLoading | kStale,
          .keys = {},
          .group = "server",
          .since = since,
          .summary = summary,
          .syntax = syntax,
          .data = nullptr,
          .session = handler,
          .subcommands = {}};
}

}  // namespace

CommandSpec CommandCommand() {
  static const CommandSpec subcommands[] = {
      Sub("count", 2, "2.8.13", "How many commands there are.", "", Count),
      Sub("docs", -2, "7.0.0", "What commands do.", "[command-name [command-name ...]]", Docs),
      Sub("getkeys", -4, "2.8.13", "Which arguments of a command are keys.",
          "command [arg [arg ...]]", GetKeys),
      Sub("getkeysandflags", -4, "7.0.0", "Which arguments are keys, and what is done with them.",
          "command [arg [arg ...]]", GetKeysAndFlags),
      Sub("help", 2, "5.0.0", "Tells of the subcommands.", "", Help),
      Sub("info", -2, "2.8.13", "What is known of commands.", "[command-name [command-name ...]]",
          Info),
      Sub("list", -2, "7.0.0", "The names of commands.",
          "[FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]", List),
  };
  CommandSpec spec = Sub("command", -1, "2.8.13", "What is known of all commands.", "", All);
  spec.subcommands = subcommands;
  return spec;
}

}  // namespace cirein::resp
