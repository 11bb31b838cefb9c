// SPDX-License-Identifier: Apache-2.0
#include "pool/group_membership.h"

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cirein/directory.h"

#include "base/logging.h"
#include "base/text.h"
#include "pool/launched_rank.h"
#include "pool/member_list.h"
#include "runtime/entropy.h"
#include "runtime/notification.h"
#include "runtime/real_clock.h"
#include "runtime/user_directory.h"

namespace cirein {
namespace {

// How long a process of the same rank may take to show that it is there.
constexpr std::chrono::seconds kAnswersWithin{2};

bool KnowsDirectory(const Config& config) {
  return !config.GetString("directory.address").empty() ||
         !config.GetString("directory.file").empty();
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    if (end != 0) words.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return words;
}

/// Who this process is in its group.
Result<LaunchedRank> RankFor(const std::string& form, const GroupMembership::Parts& parts) {
  std::optional<LaunchedRank> found;
  if (form == "file" || form == "directory") {
    CIREIN_ASSIGN_OR_RETURN(found, RankOfSettings(parts.config));
  }
  if (!found && form != "slurm") {
    CIREIN_ASSIGN_OR_RETURN(found, RankOfMpi(parts.environment));
  }
  if (!found && form != "mpi") {
    CIREIN_ASSIGN_OR_RETURN(found, RankOfSlurm(parts.environment));
  }
  if (!found) {
    return FailedPrecondition(
        fmt::format("group.form is {}, but nobody said which rank this process has", form),
        "start it by mpirun or srun, or set group.rank, group.size and group.run");
  }
  if (const std::string run = parts.config.GetString("group.run"); !run.empty()) found->run = run;
  if (!IsRunName(found->run)) {
    return InvalidArgument(
        fmt::format("the group's run cannot be called {}", QuoteForPeople(found->run)),
        "set group.run to what no other run is called, such as the job's number: 1 to 200 letters, "
        "digits and ._@:-");
  }
  return std::move(*found);
}

Result<std::unique_ptr<MeetingPlace>> PlaceFor(const std::string& form, const LaunchedRank& self,
                                               const Config& config) {
  const std::string folder = config.GetString("group.folder");
  if (form != "directory" && !folder.empty()) return MakeFolderPlace(folder, self.run);
  if (form == "directory" || (form != "file" && KnowsDirectory(config))) {
    CIREIN_ASSIGN_OR_RETURN(Directory directory, Directory::Connect());
    return MakeDirectoryPlace(std::move(directory), self.run, self.size);
  }
  if (form == "file" || !self.one_host) {
    return FailedPrecondition("nobody said where the processes of the group meet",
                              "set group.folder to a folder that all of them share, or "
                              "directory.file; between hosts also fabric.listen and "
                              "fabric.secret_file");
  }
  CIREIN_ASSIGN_OR_RETURN(const std::string own, UserDirectory());
  return MakeFolderPlace(own, self.run);
}

bool Answers(ProcessNetwork& network, const std::string& address) {
  struct Answer {
    Notification arrived;
    bool there = false;
  };
  const auto answer = std::make_shared<Answer>();
  const Status begun = network.Connect(
      address, kAnswersWithin, [answer](const Result<std::shared_ptr<ObjectClient>>& client) {
        answer->there = client.ok();
        answer->arrived.Notify();
      });
  if (!begun.ok()) return false;
  answer->arrived.WaitUntil(kEndOfTime);
  return answer->there;
}

Result<Group> GroupOfList(const Config& config, const fabric::Address& own) {
  const std::vector<std::string> addresses = Words(config.GetString("group.members"));
  if (addresses.empty()) {
    return FailedPrecondition("group.form is list, but there is none",
                              "set group.members: HOST:PORT of each process, parted by blanks");
  }
  std::optional<std::size_t> rank;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const Result<fabric::Address> address = MemberAddress(addresses[i]);
    if (!address.ok()) return address.status().WithContext("setting group.members");
    if (IsSameMember(*address, own)) rank = i;
  }
  Result<Group> group = Group::Of(rank, addresses);
  if (!group.ok()) return group.status().WithContext("setting group.members");
  return group;
}

}  // namespace

Result<std::string> GroupForm(std::string_view form, const Config& config,
                              std::span<const std::string> environment) {
  std::string chosen = form.empty() ? config.GetString("group.form") : std::string(form);
  for (const std::string_view known : {"list", "file", "directory", "mpi", "slurm"}) {
    if (chosen == known) return chosen;
  }
  if (chosen != "auto") {
    return InvalidArgument(fmt::format("a group has no form {}", QuoteForPeople(chosen)),
                           "give auto, list, file, directory, mpi or slurm");
  }
  if (!config.GetString("group.members").empty()) return std::string("list");
  if (!config.GetString("group.rank").empty() && !config.GetString("group.folder").empty()) {
    return std::string("file");
  }
  if (KnowsDirectory(config)) return std::string("directory");
  CIREIN_ASSIGN_OR_RETURN(const auto mpi, RankOfMpi(environment));
  if (mpi) return std::string("mpi");
  CIREIN_ASSIGN_OR_RETURN(const auto slurm, RankOfSlurm(environment));
  return std::string(slurm ? "slurm" : "directory");
}

Result<std::unique_ptr<GroupMembership>> GroupMembership::Join(const std::string& form,
                                                               const Parts& parts, TimePoint end) {
  const fabric::Address own = parts.network.address();
  if (form == "list") {
    CIREIN_ASSIGN_OR_RETURN(Group group, GroupOfList(parts.config, own));
    return std::unique_ptr<GroupMembership>(
        new GroupMembership(std::move(group), nullptr, Attendee()));
  }
  CIREIN_ASSIGN_OR_RETURN(const LaunchedRank launched, RankFor(form, parts));
  CIREIN_ASSIGN_OR_RETURN(std::unique_ptr<MeetingPlace> place,
                          PlaceFor(form, launched, parts.config));
  Attendee self{.rank = launched.rank,
                .size = launched.size,
                .token = Entropy::FromSystem().Seed(),
                .address = own};
  Result<std::vector<std::string>> addresses =
      Meet(*place, self,
           {.clock = RealClock::Instance(),
            .end = end,
            .is_there = [&](const std::string& address) { return Answers(parts.network, address); },
            .gives_up = parts.gives_up});
  if (!addresses.ok()) {
    return addresses.status().WithContext(fmt::format("the group {}", launched.run));
  }
  LogInfo("group", "{}: rank {} of {} ({})", launched.run, self.rank, self.size, form);
  CIREIN_ASSIGN_OR_RETURN(Group group, Group::Of(self.rank, std::move(*addresses)));
  return std::unique_ptr<GroupMembership>(
      new GroupMembership(std::move(group), std::move(place), std::move(self)));
}

GroupMembership::~GroupMembership() {
  if (place_ == nullptr) return;
  const Status removed = place_->Remove(self_);
  if (!removed.ok()) LogInfo("group", "cannot leave: {}", removed.ToString());
}

}  // namespace cirein
