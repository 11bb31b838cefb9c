// SPDX-License-Identifier: Apache-2.0
#include "cirein/group.h"

#include <memory>

#include <fmt/format.h>

#include "pool/member_list.h"
#include "pool/process.h"

namespace cirein {
namespace {

Status NotStarted() {
  return FailedPrecondition("the library is not started", "call cirein::Start first");
}

}  // namespace

Result<Group> Group::Join(std::string_view form, Deadline deadline) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return NotStarted();
  return process->JoinGroup(form, deadline);
}

Result<Group> Group::Of(std::optional<std::size_t> rank, std::vector<std::string> addresses) {
  if (addresses.empty() || addresses.size() > kMaxMembers) {
    return InvalidArgument(fmt::format("a group cannot have {} processes", addresses.size()),
                           fmt::format("give 1 to {} addresses", kMaxMembers));
  }
  if (rank && *rank >= addresses.size()) {
    return InvalidArgument(
        fmt::format("there is no rank {} in a group of {}", *rank, addresses.size()),
        "ranks are counted from 0");
  }
  CIREIN_ASSIGN_OR_RETURN(ResourceUrl url, ResourceUrl::Parse("dht:/group"));
  Group group(rank, std::move(addresses));
  CIREIN_RETURN_IF_ERROR(MembersIn(group.WithMembers(std::move(url))).status());
  return group;
}

ResourceUrl Group::WithMembers(ResourceUrl url) const {
  url.remove_option("group").set_option("num", std::to_string(addresses_.size()));
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    url.set_option(fmt::format("ag{}", i), addresses_[i]);
  }
  return url;
}

}  // namespace cirein
