// SPDX-License-Identifier: Apache-2.0
#include "resp/glob.h"

#include <algorithm>
#include <cstddef>

namespace cirein::resp {
namespace {

// Redis compares ranges as the signed bytes of the machines it usually runs on.
int Order(char byte) noexcept { return static_cast<signed char>(byte); }

bool InRange(char byte, char one, char other) noexcept {
  const auto [low, high] = std::minmax({Order(one), Order(other)});
  return low <= Order(byte) && Order(byte) <= high;
}

// One element of a pattern other than `*`: it takes one byte of the text.
struct Step {
  bool matches = false;
  std::size_t next = 0;  // Where the next element begins.
};

// The class whose bracket stands at `at`.
Step MatchClass(std::string_view pattern, std::size_t at, char byte) noexcept {
  ++at;
  const bool inverted = at < pattern.size() && pattern[at] == '^';
  if (inverted) ++at;
  bool found = false;
  while (at < pattern.size() && pattern[at] != ']') {
    const std::size_t left = pattern.size() - at;
    if (pattern[at] == '\\' && left >= 2) {
      found |= pattern[at + 1] == byte;
      at += 2;
    } else if (left >= 3 && pattern[at + 1] == '-') {
      // Whatever stands third is the range's end, be it a closing bracket.
      found |= InRange(byte, pattern[at], pattern[at + 2]);
      at += 3;
    } else {
      found |= pattern[at] == byte;
      ++at;
    }
  }
  return {found != inverted, std::min(at + 1, pattern.size())};
}

Step MatchOne(std::string_view pattern, std::size_t at, char byte) noexcept {
  switch (pattern[at]) {
    case '?':
      return {true, at + 1};
    case '[':
      return MatchClass(pattern, at, byte);
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default:
      return {pattern[at] == byte, at + 1};
  }
}

std::size_t SkipStars(std::string_view pattern, std::size_t at) noexcept {
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at;
}

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view text) noexcept {
  if (text.empty()) return pattern.empty();
  // Every element but a star takes exactly one byte, so only the last star met need be tried with
  // more: an earlier one that took more would leave the same to the rest, or less.
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t after_star = kNone;  // In the pattern.
  std::size_t star_end = 0;        // In the text: where the star's bytes end.
  std::size_t at = 0;
  std::size_t read = 0;
  while (read < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      at = SkipStars(pattern, at);
      if (at == pattern.size()) return true;
      after_star = at;
      star_end = read;
      continue;
    }
    const Step step = at < pattern.size() ? MatchOne(pattern, at, text[read]) : Step{};
    if (step.matches) {
      at = step.next;
      ++read;
      continue;
    }
    if (after_star == kNone) return false;
    at = after_star;
    read = ++star_end;
  }
  return SkipStars(pattern, at) == pattern.size();
}

std::string GlobPrefix(std::string_view pattern) {
  std::string prefix;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char byte = pattern[at];
    if (byte == '*' || byte == '?' || byte == '[') break;
    if (byte == '\\' && at + 1 < pattern.size()) ++at;
    prefix.push_back(pattern[at]);
  }
  return prefix;
}

bool GlobIsExact(std::string_view pattern) noexcept {
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char byte = pattern[at];
    if (byte == '*' || byte == '?' || byte == '[') return false;
    if (byte == '\\') ++at;
  }
  return true;
}

}  // namespace cirein::resp
