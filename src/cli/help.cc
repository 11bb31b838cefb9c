// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cirein {
namespace {

constexpr std::size_t kLineWidth = 88;

// The words of `text` in lines that begin with `indent`.
std::string Wrapped(std::string_view text, std::string_view indent) {
  std::string lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > kLineWidth) {
      lines += fmt::format("{}{}\n", indent, line);
      line.clear();
    }
    line += line.empty() ? "" : " ";
    line += word;
  }
  if (!line.empty()) lines += fmt::format("{}{}\n", indent, line);
  return lines;
}

struct Item {
  std::string left;
  std::string right;
};

// Two columns, the right one beginning at the same place in all lines. Without a right part the
// left one is a heading.
std::string TwoColumns(const std::vector<Item>& items) {
  std::size_t width = 0;
  for (const Item& item : items) width = std::max(width, item.left.size());
  std::string text;
  for (const Item& item : items) {
    const std::string left = "  " + item.left;
    const std::string right = Wrapped(item.right, std::string(width + 4, ' '));
    text += left + (right.empty() ? "\n" : right.substr(left.size()));
  }
  return text;
}

std::string OptionTitle(const Option& option) {
  const std::vector<std::string> names = option.NameList();
  std::string title = fmt::format("{}", fmt::join(names, ", "));
  if (option.kind == Option::Kind::kArgument || option.value.empty()) return title;
  return title + " " + option.value;
}

std::string OptionHelp(const Option& option) {
  std::string help = option.help;
  if (!option.choices.empty()) help += fmt::format(": {}", fmt::join(option.choices, ", "));
  if (!option.fallback.empty()) help += fmt::format(" [{}]", option.fallback);
  return help;
}

std::vector<Item> OptionItems(const std::vector<Option>& options) {
  std::vector<Item> items;
  items.reserve(options.size());
  for (const Option& option : options) items.push_back({OptionTitle(option), OptionHelp(option)});
  return items;
}

std::string Usage(const VerbEntry& entry, const std::vector<Option>& options) {
  std::string usage = fmt::format("cirein {}", entry.name);
  for (const Option& option : options) {
    if (option.kind != Option::Kind::kArgument) continue;
    usage += option.required ? " " + option.names : fmt::format(" [{}]", option.names);
  }
  return usage + " [options]";
}

std::vector<Item> ExitCodeItems() {
  std::vector<Item> items;
  for (const ExitCodeMeaning& code : ExitCodes()) {
    items.push_back({fmt::format("{}", static_cast<int>(code.code)), std::string(code.meaning)});
  }
  return items;
}

// With a backslash before each of the characters that would mean something in Markdown.
std::string MarkdownEscaped(std::string text, std::string_view special) {
  for (std::size_t at = text.find_first_of(special); at != std::string::npos;
       at = text.find_first_of(special, at + 2)) {
    text.insert(at, "\\");
  }
  return text;
}

std::string MarkdownCell(std::string text) { return MarkdownEscaped(std::move(text), "|*\\"); }
std::string MarkdownText(std::string_view text) {
  return MarkdownEscaped(std::string(text), "*\\");
}

std::string VerbMarkdown(const VerbEntry& entry) {
  const std::vector<Option> options = OptionsOf(entry);
  std::string text =
      fmt::format("\n### cirein {}\n\n`{}`: {}.", entry.name, Usage(entry, options), entry.summary);
  if (!entry.details.empty()) text += " " + MarkdownText(entry.details);
  text += "\n\n";
  if (!options.empty()) {
    text += "| option | meaning |\n|---|---|\n";
    for (const Option& option : options) {
      text += fmt::format("| `{}` | {} |\n", OptionTitle(option), MarkdownCell(OptionHelp(option)));
    }
    text += "\n";
  }
  text += "```sh\n";
  for (const VerbExample& example : entry.examples) {
    text += fmt::format("{}  # {}\n", example.command, example.meaning);
  }
  return text + "```\n";
}

}  // namespace

std::vector<Option> OptionsOf(const VerbEntry& entry) {
  OptionSet options;
  entry.make()->Declare(&options);
  std::vector<Option> list = options.options();
  for (Option& option : list) option.set = nullptr;  // The verb is gone.
  std::stable_partition(list.begin(), list.end(), [](const Option& option) {
    return option.kind == Option::Kind::kArgument;
  });
  return list;
}

std::vector<Option> OptionsOfEveryVerb() {
  GlobalOptions globals;
  OptionSet options;
  globals.Declare(&options);
  std::vector<Option> list = options.options();
  for (Option& option : list) option.set = nullptr;
  return list;
}

std::string CommandHelp() {
  std::string text =
      "Usage: cirein VERB [options]\n\n"
      "Cirein keeps objects in memory and gives them to those who ask, before or after they\n"
      "are published. This command shows, checks and measures it.\n\nCommands:\n";
  std::vector<Item> items;
  std::string_view group;
  for (const VerbEntry& entry : Verbs()) {
    if (entry.group != group) items.push_back({std::string(entry.group), ""});
    group = entry.group;
    items.push_back({fmt::format("  {}", entry.name), std::string(entry.summary)});
  }
  text += TwoColumns(items);
  text += "\nOptions of every verb:\n" + TwoColumns(OptionItems(OptionsOfEveryVerb()));
  text += "\nExit codes:\n" + TwoColumns(ExitCodeItems());
  text += "\nBegin with: cirein demo. More about a verb: cirein help VERB\n";
  return text;
}

std::string VerbHelp(const VerbEntry& entry) {
  const std::vector<Option> options = OptionsOf(entry);
  std::string text = fmt::format("Usage: {}\n\n", Usage(entry, options));
  std::string about = fmt::format("cirein {}: {}.", entry.name, entry.summary);
  text += Wrapped(about, "");
  if (!entry.details.empty()) text += "\n" + Wrapped(entry.details, "");
  if (!options.empty()) text += "\nOptions:\n" + TwoColumns(OptionItems(options));
  text += "\nOptions of every verb:\n" + TwoColumns(OptionItems(OptionsOfEveryVerb()));
  text += "\nExamples:\n";
  for (const VerbExample& example : entry.examples) {
    text += fmt::format("  {}\n      {}\n", example.command, example.meaning);
  }
  text += "\nExit codes:\n" + TwoColumns(ExitCodeItems());
  return text;
}

std::string VerbsMarkdown() {
  std::string text = "| verb | what it does |\n|---|---|\n";
  for (const VerbEntry& entry : Verbs()) {
    text +=
        fmt::format("| [`cirein {}`](#cirein-{}) | {} |\n", entry.name, entry.name, entry.summary);
  }
  text += "\n| option of every verb | meaning |\n|---|---|\n";
  for (const Option& option : OptionsOfEveryVerb()) {
    text += fmt::format("| `{}` | {} |\n", OptionTitle(option), MarkdownCell(OptionHelp(option)));
  }
  for (const VerbEntry& entry : Verbs()) text += VerbMarkdown(entry);
  text += "\n### Exit codes\n\n| code | meaning |\n|---|---|\n";
  for (const ExitCodeMeaning& code : ExitCodes()) {
    text += fmt::format("| {} | {} |\n", static_cast<int>(code.code), code.meaning);
  }
  return text;
}

}  // namespace cirein
