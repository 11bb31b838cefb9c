// SPDX-License-Identifier: Apache-2.0
#include "pool/meeting_place.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "object/finished.h"
#include "runtime/file.h"
#include "runtime/notification.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kTokenDigits = 16;
constexpr std::size_t kMissingNamed = 16;
constexpr milliseconds kFirstPause{2};
constexpr milliseconds kLongestPause{250};

void SortByRank(std::vector<Attendee>& all) {
  std::sort(all.begin(), all.end(), [](const Attendee& a, const Attendee& b) {
    return std::tie(a.rank, a.token) < std::tie(b.rank, b.token);
  });
}

class FolderPlace final : public MeetingPlace {
 public:
  FolderPlace(std::string folder, std::string run)
      : folder_(std::move(folder)), prefix_(std::move(run) + ".") {}

  Status Come(const Attendee& who) override {
    CIREIN_RETURN_IF_ERROR(MakeDirectories(folder_));
    return WriteFileAtomically(PathOf(who.Name()), who.address + "\n");
  }

  Status Remove(const Attendee& who) override {
    Status removed = RemoveFile(PathOf(who.Name()));
    return removed.code() == StatusCode::kNotFound ? OkStatus() : removed;
  }

  Result<std::vector<Attendee>> Look() override {
    const Result<std::vector<DirectoryEntry>> entries = ListDirectory(folder_);
    std::vector<Attendee> all;
    if (entries.code() == StatusCode::kNotFound) return all;  // Made by the first who comes.
    if (!entries.ok()) return entries.status();
    for (const DirectoryEntry& entry : *entries) {
      if (!entry.name.starts_with(prefix_)) continue;
      const std::string name = entry.name.substr(prefix_.size());
      std::optional<Attendee> who = Attendee::FromName(name);
      if (!who) continue;
      std::string& address = addresses_[name];
      if (address.empty()) {
        Result<std::string> read = ReadFirstLine(PathOf(name), "remove it");
        if (read.code() == StatusCode::kNotFound) continue;  // Gone since it was listed.
        if (!read.ok()) return read.status();
        address = std::move(*read);
      }
      who->address = address;
      all.push_back(std::move(*who));
    }
    SortByRank(all);
    return all;
  }

  void Wait(TimePoint end) override {
    Notification never;
    never.WaitUntil(std::min(end, RealClock::Instance().Now() + pause_));
    pause_ = std::min(pause_ * 2, kLongestPause);
  }

 private:
  std::string PathOf(const std::string& name) const { return folder_ + "/" + prefix_ + name; }

  const std::string folder_;
  const std::string prefix_;
  std::map<std::string, std::string> addresses_;  // By name, of those that were read.
  milliseconds pause_ = kFirstPause;
};

class DirectoryPlace final : public MeetingPlace {
 public:
  DirectoryPlace(Directory directory, ResourceUrl url)
      : directory_(std::move(directory)), url_(std::move(url)) {}

  Status Come(const Attendee& who) override {
    CIREIN_RETURN_IF_ERROR(directory_.Define(url_));
    return directory_.Join(url_, {who.Name(), who.address}).status();
  }

  Status Remove(const Attendee& who) override {
    Status left = directory_.Leave(url_, who.Name()).status();
    return left.code() == StatusCode::kNotFound ? OkStatus() : left;
  }

  Result<std::vector<Attendee>> Look() override {
    const Result<DirectoryInfo> entry = directory_.Lookup(url_);
    revision_ = 0;
    std::vector<Attendee> all;
    if (entry.code() == StatusCode::kNotFound) return all;
    if (!entry.ok()) return entry.status();
    revision_ = entry->revision;
    for (const DirectoryMember& member : entry->members) {
      std::optional<Attendee> who = Attendee::FromName(member.name);
      if (!who) continue;
      who->address = member.address;
      all.push_back(std::move(*who));
    }
    SortByRank(all);
    return all;
  }

  void Wait(TimePoint end) override {
    // Not for ever: a directory that was lost tells nobody.
    const auto left =
        std::min<std::chrono::nanoseconds>(end - RealClock::Instance().Now(), kLongestPause);
    if (left <= left.zero()) return;
    Notification changed;
    directory_.Watch(
        url_, revision_, [&](const Status& /*what*/) { changed.Notify(); }, left);
    changed.WaitUntil(kEndOfTime);
  }

 private:
  const Directory directory_;
  const ResourceUrl url_;
  std::uint64_t revision_ = 0;
};

class Meeting {
 public:
  Meeting(MeetingPlace& place, const Attendee& self, const MeetingOptions& options)
      : place_(place), self_(self), options_(options) {}

  Result<std::vector<std::string>> Run() {
    for (bool came = false; !options_.gives_up();) {
      CIREIN_ASSIGN_OR_RETURN(std::vector<Attendee> all, place_.Look());
      CIREIN_RETURN_IF_ERROR(CheckSizes(all));
      CIREIN_RETURN_IF_ERROR(ReplaceFormer(all));
      const bool is_here = std::any_of(
          all.begin(), all.end(), [&](const Attendee& each) { return each.token == self_.token; });
      const std::vector<std::size_t> missing = Missing(all);
      if (is_here && missing.empty()) return AddressesOf(all);
      if (options_.clock.Now() >= options_.end) return NotAll(missing);
      if (came) place_.Wait(options_.end);
      came = true;
      // Again, when the place has lost what stood there.
      if (!is_here) CIREIN_RETURN_IF_ERROR(place_.Come(self_));
    }
    return LibraryFinished();
  }

 private:
  Status CheckSizes(const std::vector<Attendee>& all) const {
    for (const Attendee& other : all) {
      if (other.size == self_.size) continue;
      return InvalidArgument(
          fmt::format("rank {} ({}) says that the group has {} processes, this one says {}",
                      other.rank, other.address, other.size, self_.size),
          "give all the same group.size; and another group.run than a former run had");
    }
    return OkStatus();
  }

  /// Those of the own rank go, or this one does.
  Status ReplaceFormer(std::vector<Attendee>& all) {
    for (auto it = all.begin(); it != all.end();) {
      if (it->rank != self_.rank || it->token == self_.token) {
        ++it;
        continue;
      }
      if (it->address != self_.address && options_.is_there(it->address)) {
        return AlreadyExists(
            fmt::format("the group has a process of rank {}, which is there at {}", self_.rank,
                        it->address),
            "give each process a rank of its own, and each run a group.run of its own");
      }
      CIREIN_RETURN_IF_ERROR(place_.Remove(*it));
      it = all.erase(it);
    }
    return OkStatus();
  }

  /// Ranks that nobody has, or two who have not settled yet which of them it is.
  std::vector<std::size_t> Missing(const std::vector<Attendee>& all) const {
    std::vector<std::size_t> missing;
    for (std::size_t rank = 0; rank < self_.size; ++rank) {
      const auto count = std::count_if(all.begin(), all.end(),
                                       [&](const Attendee& each) { return each.rank == rank; });
      if (count != 1) missing.push_back(rank);
    }
    return missing;
  }

  Status NotAll(std::vector<std::size_t> missing) const {
    const std::size_t count = missing.size();
    missing.resize(std::min(count, kMissingNamed));
    return DeadlineExceeded(
        fmt::format("{} of the group's {} ranks have not come: {}{}", count, self_.size,
                    fmt::join(missing, ", "), count > kMissingNamed ? ", ..." : ""),
        "start them in time, with the same group.run and the same folder or directory");
  }

  static std::vector<std::string> AddressesOf(const std::vector<Attendee>& all) {
    std::vector<std::string> addresses;
    for (const Attendee& each : all) addresses.push_back(each.address);
    return addresses;
  }

  MeetingPlace& place_;
  const Attendee& self_;
  const MeetingOptions& options_;
};

}  // namespace

std::string Attendee::Name() const { return fmt::format("{}of{}-{:016x}", rank, size, token); }

std::optional<Attendee> Attendee::FromName(std::string_view name) {
  const std::size_t of = name.find("of");
  const std::size_t dash = name.find('-');
  if (of == std::string_view::npos || dash == std::string_view::npos || of > dash) {
    return std::nullopt;
  }
  const Result<std::uint64_t> rank = ParseUint64(name.substr(0, of));
  const Result<std::uint64_t> size = ParseUint64(name.substr(of + 2, dash - of - 2));
  const std::string_view digits = name.substr(dash + 1);
  const Result<std::uint64_t> token = ParseHex64(digits);
  if (!rank.ok() || !size.ok() || !token.ok() || digits.size() != kTokenDigits || *rank >= *size) {
    return std::nullopt;
  }
  return Attendee{.rank = static_cast<std::size_t>(*rank),
                  .size = static_cast<std::size_t>(*size),
                  .token = *token,
                  .address = {}};
}

std::unique_ptr<MeetingPlace> MakeFolderPlace(std::string folder, std::string run) {
  return std::make_unique<FolderPlace>(std::move(folder), std::move(run));
}

Result<std::unique_ptr<MeetingPlace>> MakeDirectoryPlace(Directory directory,
                                                         const std::string& run, std::size_t size) {
  CIREIN_ASSIGN_OR_RETURN(ResourceUrl url, ResourceUrl::Parse("rft:[cirein.groups]/" + run));
  url.set_option("min_members", std::to_string(size));
  return std::unique_ptr<MeetingPlace>(
      std::make_unique<DirectoryPlace>(std::move(directory), std::move(url)));
}

Result<std::vector<std::string>> Meet(MeetingPlace& place, const Attendee& self,
                                      const MeetingOptions& options) {
  Result<std::vector<std::string>> addresses = Meeting(place, self, options).Run();
  // Why it goes is said by the first error; that it cannot go adds nothing.
  if (!addresses.ok()) (void)place.Remove(self);
  return addresses;
}

}  // namespace cirein
