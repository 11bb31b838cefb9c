// SPDX-License-Identifier: Apache-2.0
#include "pool/directory_text.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "pool/member_list.h"

namespace cirein {
namespace {

constexpr std::string_view kHead = "cirein directory 1";

/// The next line of what is left; nullopt when it has no end.
std::optional<std::string_view> NextLine(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

Status NoEntry(std::string_view what) {
  return DataLoss(fmt::format("an entry of the directory cannot be read: {}", what),
                  "both sides must have the same version of Cirein");
}

Result<DirectoryMember> MemberOf(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return NoEntry("a member has no address");
  DirectoryMember member{std::string(line.substr(0, space)), {}};
  CIREIN_RETURN_IF_ERROR(CheckMemberName(member.name));
  CIREIN_ASSIGN_OR_RETURN(member.address, MemberAddress(line.substr(space + 1)));
  return member;
}

}  // namespace

std::string TextOf(const DirectoryInfo& entry) {
  std::string text = fmt::format("{}\n{}\n{}\n", kHead, entry.revision,
                                 entry.url.path().empty() ? "" : entry.url.ToString());
  for (const DirectoryMember& member : entry.members) {
    text += fmt::format("{} {}\n", member.name, member.address);
  }
  return text;
}

Result<DirectoryInfo> DirectoryInfoOf(std::string_view text) {
  DirectoryInfo entry;
  if (NextLine(text) != kHead) return NoEntry("it does not begin as one");
  const auto revision = NextLine(text);
  const Result<std::uint64_t> number = ParseUint64(revision.value_or(""));
  if (!number.ok()) return NoEntry("it has no revision");
  entry.revision = *number;
  const auto url = NextLine(text);
  if (!url) return NoEntry("it has no URL");
  if (!url->empty()) {
    CIREIN_ASSIGN_OR_RETURN(entry.url, ResourceUrl::Parse(*url));
  }
  while (!text.empty()) {
    const auto line = NextLine(text);
    if (!line || entry.members.size() == kMaxMembers) return NoEntry("its members do not end");
    CIREIN_ASSIGN_OR_RETURN(DirectoryMember member, MemberOf(*line));
    entry.members.push_back(std::move(member));
  }
  return entry;
}

Status CheckMemberName(std::string_view name) {
  const bool visible = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; });
  if (!name.empty() && visible && name.size() <= DirectoryMember::kMaxNameBytes) return OkStatus();
  return InvalidArgument(fmt::format("{} cannot name a member", QuoteForPeople(name)),
                         fmt::format("use 1 to {} visible characters",
                                     DirectoryMember::kMaxNameBytes));
}

}  // namespace cirein
