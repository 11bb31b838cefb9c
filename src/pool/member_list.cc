// SPDX-License-Identifier: Apache-2.0
#include "pool/member_list.h"

#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "fabric/auto/auto_address.h"
#include "runtime/stream_listener.h"

namespace cirein {

Result<fabric::Address> MemberAddress(std::string_view text) {
  if (fabric::IsAutoAddress(std::string(text))) {
    CIREIN_RETURN_IF_ERROR(fabric::AutoAddressIn(std::string(text)).status());
    return fabric::Address(text);
  }
  const Result<StreamAddress> address = ParseStreamAddress(text);
  if (!address.ok() || address->is_path() || address->port == 0) {
    return InvalidArgument(fmt::format("{} is no address of a member", QuoteForPeople(text)),
                           "give HOST:PORT, where its fabric.listen is, or what it says at its "
                           "start (auto://...)");
  }
  return fabric::ToAddress({.host = {}, .ofi = address->ToString(), .shm = {}});
}

Result<std::vector<fabric::Address>> MembersIn(const ResourceUrl& url) {
  std::vector<fabric::Address> members;
  const std::optional<std::string> num = url.option("num");
  if (!num) return members;
  const Result<std::uint64_t> count = ParseUint64(*num);
  if (!count.ok() || *count == 0 || *count > kMaxMembers) {
    return InvalidArgument(fmt::format("num={} is no number of members", QuoteForPeople(*num)),
                           fmt::format("give 1 to {}", kMaxMembers));
  }
  for (std::uint64_t i = 0; i < *count; ++i) {
    const std::string name = fmt::format("ag{}", i);
    const std::optional<std::string> text = url.option(name);
    if (!text) {
      return InvalidArgument(fmt::format("num={}, but {} is not given", *num, name),
                             fmt::format("give ag0 to ag{}, each with an address", *count - 1));
    }
    Result<fabric::Address> address = MemberAddress(*text);
    if (!address.ok()) return address.status().WithContext(name);
    for (const fabric::Address& other : members) {
      if (!IsSameMember(other, *address)) continue;
      return InvalidArgument(fmt::format("{} is the member {}, which stands before it", name, other),
                             "name each member once");
    }
    members.push_back(std::move(*address));
  }
  return members;
}

bool IsSameMember(const fabric::Address& member, const fabric::Address& own) {
  if (member == own) return true;
  const auto a = fabric::AutoAddressIn(member);
  const auto b = fabric::AutoAddressIn(own);
  // Of HOST:PORT alone the host is not known.
  return a.ok() && b.ok() && !a->ofi.empty() && a->ofi == b->ofi &&
         (a->host.empty() || b->host.empty() || a->host == b->host);
}

}  // namespace cirein
