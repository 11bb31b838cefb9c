// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cirein/config.h"
#include "cirein/group.h"

#include "pool/meeting_place.h"
#include "pool/process_network.h"

namespace cirein {

/// What a process's group is formed by: the setting group.form or a word instead of it, where
/// "auto" becomes one of the others; "directory" where nothing says more.
Result<std::string> GroupForm(std::string_view form, const Config& config,
                              std::span<const std::string> environment);

/// That this process is in a group: what it has written for the others goes with it.
class GroupMembership {
 public:
  struct Parts {
    const Config& config;
    std::span<const std::string> environment;
    ProcessNetwork& network;
    std::function<bool()> gives_up;
  };

  /// As Group::Join; `form` is one that GroupForm gives.
  static Result<std::unique_ptr<GroupMembership>> Join(const std::string& form, const Parts& parts,
                                                       TimePoint end);
  /// Others that come later do not find it. Blocks for a file.
  ~GroupMembership();
  GroupMembership(const GroupMembership&) = delete;
  GroupMembership& operator=(const GroupMembership&) = delete;

  const Group& group() const noexcept { return group_; }

 private:
  GroupMembership(Group group, std::unique_ptr<MeetingPlace> place, Attendee self)
      : group_(std::move(group)), place_(std::move(place)), self_(std::move(self)) {}

  const Group group_;
  const std::unique_ptr<MeetingPlace> place_;  // Null where nothing was written.
  const Attendee self_;
};

}  // namespace cirein
