// SPDX-License-Identifier: Apache-2.0
#include "cirein/behavior.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"

namespace cirein {
namespace {

struct NamedFlags {
  std::string_view name;
  std::uint8_t flags;
};

// The single flags come first and in the order in which ToString writes them.
constexpr std::size_t kSingleFlagCount = 6;
constexpr std::array<NamedFlags, 16> kNames{{
    {"WriteToLocal", Behavior::kWriteToLocal},
    {"WriteToRemote", Behavior::kWriteToRemote},
    {"WriteToIOM", Behavior::kWriteToIom},
    {"ReadToLocal", Behavior::kReadToLocal},
    {"ReadToRemote", Behavior::kReadToRemote},
    {"EnableOverwrites", Behavior::kEnableOverwrites},
    {"WriteAround", Behavior::kWriteToIom},
    {"WriteMemory", Behavior::kWriteToLocal | Behavior::kWriteToRemote},
    {"WriteAll", Behavior::kWriteToLocal | Behavior::kWriteToRemote | Behavior::kWriteToIom},
    {"ReadToNone", 0},
    {"DefaultLocal", Behavior::kDefaultLocal},
    {"DefaultRemote", Behavior::kDefaultRemote},
    {"DefaultIOM", Behavior::kDefaultIom},
    {"DefaultLocalIOM", Behavior::kDefaultLocalIom},
    {"DefaultRemoteIOM", Behavior::kDefaultRemoteIom},
    {"DefaultCachingIOM", Behavior::kDefaultCachingIom},
}};

Status RefuseName(std::string_view name, std::string_view text) {
  std::array<std::string_view, kNames.size()> names;
  std::transform(kNames.begin(), kNames.end(), names.begin(),
                 [](const NamedFlags& named) { return named.name; });
  return InvalidArgument(
      fmt::format("behavior {} has the unknown part {}", QuoteForPeople(text),
                  QuoteForPeople(name)),
      DidYouMean(name, names,
                 fmt::format("join some of these by '_': {}", fmt::join(names, ", "))));
}

}  // namespace

Result<Behavior> Behavior::Parse(std::string_view text) {
  std::uint8_t flags = 0;
  std::string_view rest = text;
  for (bool more = true; more;) {
    const std::size_t end = rest.find('_');
    more = end != std::string_view::npos;
    const std::string_view name = rest.substr(0, end);
    if (more) rest.remove_prefix(end + 1);
    const std::string lower = AsciiLower(name);
    const auto* const found =
        std::find_if(kNames.begin(), kNames.end(),
                     [&lower](const NamedFlags& named) { return AsciiLower(named.name) == lower; });
    if (found == kNames.end()) return RefuseName(name, text);
    flags |= found->flags;
  }
  return Behavior(flags);
}

std::string Behavior::ToString() const {
  std::string text;
  for (std::size_t i = 0; i < kSingleFlagCount; ++i) {
    if ((flags_ & kNames[i].flags) == 0) continue;
    if (!text.empty()) text.push_back('_');
    text += kNames[i].name;
  }
  return text.empty() ? "ReadToNone" : text;
}

}  // namespace cirein
