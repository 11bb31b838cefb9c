// SPDX-License-Identifier: Apache-2.0

// Prints the commands of docs/redis.md, so that the page cannot fall behind the code.

#include <cstdio>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "resp/command_table.h"

namespace {

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string UpperName(std::string_view full_name) {
  std::string upper;
  for (const char c : full_name) {
    const bool is_lower = c >= 'a' && c <= 'z';
    upper += c == '|' ? ' ' : is_lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return upper;
}

void Add(const cirein::resp::CommandEntry& entry, std::string* rows) {
  if (entry.subcommands.empty()) {
    const cirein::resp::CommandSpec& spec = *entry.spec;
    const std::string syntax = spec.syntax.empty() ? "" : " " + Escaped(spec.syntax);
    fmt::format_to(std::back_inserter(*rows), "| `{}{}` | {} |\n", UpperName(entry.full_name),
                   syntax, Escaped(spec.summary));
  }
  for (const auto& subcommand : entry.subcommands) Add(subcommand, rows);
}

}  // namespace

int main() {
  std::map<std::string_view, std::string> groups;
  for (const auto& entry : cirein::resp::CommandTable::All().commands()) {
    Add(entry, &groups[entry.spec->group]);
  }
  std::string page;
  for (const auto& [group, rows] : groups) {
    fmt::format_to(std::back_inserter(page), "| {} | |\n|---|---|\n{}\n", group, rows);
  }
  while (page.ends_with("\n\n")) page.pop_back();
  return std::fputs(page.c_str(), stdout) < 0 ? 1 : 0;
}
