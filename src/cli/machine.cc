// SPDX-License-Identifier: Apache-2.0
#include "cli/machine.h"

#include <algorithm>

#include "cirein/status.h"

#include "base/text.h"

namespace cirein {
namespace {

constexpr std::uint64_t kMaxFileBytes = 4 << 20;
constexpr std::string_view kBlanks = " \t\n";
constexpr std::uint64_t kBytesPerKib = 1024;

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

// What stands behind `name` at the start of a line.
std::optional<std::string_view> LineBehind(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(name)) return Trimmed(line.substr(name.size()));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

std::string_view FirstWord(std::string_view text) {
  return text.substr(0, text.find_first_of(kBlanks));
}

bool HasWord(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || kBlanks.find(text[at - 1]) != std::string_view::npos;
    const bool ends = end == text.size() || kBlanks.find(text[end]) != std::string_view::npos;
    if (begins && ends) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> Machine::Text(std::string_view path) const {
  const Result<std::string> text = ReadFile(root_ + std::string(path), kMaxFileBytes);
  if (!text.ok()) return std::nullopt;
  return std::string(Trimmed(*text));
}

std::vector<std::string> Machine::Names(std::string_view path) const {
  std::vector<std::string> names;
  const auto entries = ListDirectory(root_ + std::string(path));
  if (!entries.ok()) return names;
  for (const DirectoryEntry& entry : *entries) names.push_back(entry.name);
  return names;
}

std::optional<std::uint64_t> Machine::Field(std::string_view path, std::string_view name) const {
  const std::optional<std::string> text = Text(path);
  if (!text) return std::nullopt;
  const auto value = LineBehind(*text, std::string(name) + ":");
  if (!value) return std::nullopt;
  const Result<std::uint64_t> number = ParseUint64(FirstWord(*value));
  if (!number.ok()) return std::nullopt;
  return value->ends_with("kB") ? *number * kBytesPerKib : *number;
}

std::optional<std::uint64_t> Machine::Limit(std::string_view name) const {
  const std::optional<std::string> text = Text("/proc/self/limits");
  if (!text) return std::nullopt;
  const auto values = LineBehind(*text, name);
  if (!values) return std::nullopt;
  const std::string_view soft = FirstWord(*values);
  if (soft == "unlimited") return UINT64_MAX;
  const Result<std::uint64_t> number = ParseUint64(soft);
  if (!number.ok()) return std::nullopt;
  return *number;
}

bool Machine::HasCpuFeature(std::string_view name) const {
  const std::optional<std::string> text = Text("/proc/cpuinfo");
  if (!text) return false;
  for (const std::string_view title : {"flags", "Features"}) {
    const auto features = LineBehind(*text, title);
    if (features && HasWord(*features, name)) return true;
  }
  return false;
}

}  // namespace cirein
