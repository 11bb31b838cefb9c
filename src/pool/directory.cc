// SPDX-License-Identifier: Apache-2.0
#include "cirein/directory.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "pool/directory_text.h"
#include "pool/member_list.h"
#include "pool/pool_backing.h"
#include "pool/process.h"
#include "pool/process_network.h"
#include "runtime/file.h"
#include "runtime/notification.h"
#include "runtime/real_clock.h"

// Entries are objects of the process that hosts the directory, in a bucket of their own: one for
// each resource, changed by if_version, so that two who change it at once are put in order. An
// entry without URL is one that was dropped. Who changes revision n publishes the key "after n" of
// the row: who watches n wants that.

namespace cirein {
namespace {

// No copies: an entry is read when it has changed.
constexpr std::string_view kPoolUrl = "dht:[cirein.directory]/directory&behavior=WriteToRemote";
constexpr std::string_view kEntryColumn = "entry";
// Of 4096 members that join at once the last one is refused as often.
constexpr int kChangeAttempts = 10'000;
// How long a change can be noticed by who looked before it and parks after it.
constexpr std::chrono::seconds kAnnounced{30};

std::string RowOf(const ResourceUrl& url) { return url.BucketPath(); }

Key EntryKey(const ResourceUrl& url) { return Key(RowOf(url), std::string(kEntryColumn)); }

Key AfterKey(const ResourceUrl& url, std::uint64_t revision) {
  return Key(RowOf(url), fmt::format("after {}", revision));
}

/// The name alone, with the bucket filled in.
Result<ResourceUrl> Named(const ResourceUrl& url) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  if (url.path().empty() || url.is_root()) {
    return InvalidArgument(fmt::format("\"{}\" names no resource", url.ToString()),
                           "give a path, such as /project/pool");
  }
  ResourceUrl named = url;
  if (!named.bucket().specified()) {
    CIREIN_ASSIGN_OR_RETURN(const Bucket bucket,
                            Bucket::Parse(process->config().GetString("default.bucket")));
    named.set_bucket(bucket);
  }
  return named;
}

Status NotDefined(const ResourceUrl& url) {
  return NotFound(fmt::format("the directory does not know \"{}\"", url.BucketPath()),
                  "define it: cirein resource define, or cirein serve --join");
}

// Does the entry say all that the URL says?
bool Agrees(const ResourceUrl& url, const ResourceUrl& entry) {
  const auto& options = url.options();
  return url.type() == entry.type() &&
         std::all_of(options.begin(), options.end(), [&](const auto& option) {
           return entry.option(option.first) == option.second;
         });
}

Result<std::string> AddressFromSettings(const Config& config) {
  if (std::string address = config.GetString("directory.address"); !address.empty()) return address;
  const std::string file = config.GetString("directory.file");
  if (file.empty()) {
    return FailedPrecondition("nobody said where the directory is",
                              "set directory.address or directory.file, or name the pool's members "
                              "in its URL (&num=N&ag0=HOST:PORT...) or by group.form");
  }
  Result<std::string> address =
      ReadFirstLine(file, "start its host: cirein serve --directory-file");
  if (!address.ok()) return address.status().WithContext("setting directory.file");
  return address;
}

/// If the member is this process, others may ask it from now on: what belongs behind its objects is
/// there before.
Status BackOwn(const ResourceUrl& url, const std::string& member) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr || !NamesBacking(url)) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(ProcessNetwork* const network, process->network());
  if (!IsSameMember(member, network->address())) return OkStatus();
  Behavior behavior(Behavior::kDefaultRemoteIom);
  if (const auto text = url.option("behavior")) {
    CIREIN_ASSIGN_OR_RETURN(behavior, Behavior::Parse(*text));
  }
  return BackBucket(*process, url, behavior);
}

}  // namespace

Result<std::string> OwnAddress() {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  CIREIN_ASSIGN_OR_RETURN(const ProcessNetwork* const network, process->network());
  return network->address();
}

std::size_t DirectoryInfo::min_members() const {
  const std::optional<std::string> text = url.option("min_members");
  const Result<std::uint64_t> count = text ? ParseUint64(*text) : Result<std::uint64_t>(1);
  return count.ok() ? static_cast<std::size_t>(*count) : 1;
}

struct Directory::Found {
  DirectoryInfo entry;  ///< Revision 0: there is none. Without a path: it was dropped.
  Version version;      ///< Of its object.
  bool is_there() const { return !entry.url.path().empty(); }
};

Result<Directory> Directory::Connect(std::string_view address) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  std::string at(address);
  if (at.empty()) {
    CIREIN_ASSIGN_OR_RETURN(at, AddressFromSettings(process->config()));
  }
  CIREIN_ASSIGN_OR_RETURN(ResourceUrl url, ResourceUrl::Parse(kPoolUrl));
  url.set_option("num", "1").set_option("ag0", at);
  Result<Pool> pool = cirein::Connect(url);
  if (!pool.ok()) return pool.status().WithContext("the directory");
  return Directory(std::move(*pool));
}

Result<Directory::Found> Directory::Find(const ResourceUrl& url) const {
  const Key key = EntryKey(url);
  const Result<ObjectInfo> info = pool_.Info(key);
  if (info.code() == StatusCode::kNotFound) return Found();
  if (!info.ok()) return info.status();
  // Object and version of one instant. It is there, and never dropped.
  Notification done;
  Result<NamedObject> named = Internal("not answered");
  pool_.Want(key, [&](Result<NamedObject> result) {
    named = std::move(result);
    done.Notify();
  });
  done.WaitUntil(kEndOfTime);
  if (!named.ok()) return named.status();
  Found found;
  found.version = named->info.version;
  CIREIN_ASSIGN_OR_RETURN(found.entry, DirectoryInfoOf(named->object.text()));
  return found;
}

Result<DirectoryInfo> Directory::Apply(const ResourceUrl& url, const Change& change) const {
  for (int attempt = 0; attempt < kChangeAttempts; ++attempt) {
    CIREIN_ASSIGN_OR_RETURN(Found found, Find(url));
    DirectoryInfo changed = found.entry;
    CIREIN_RETURN_IF_ERROR(change(changed));
    if (changed.url == found.entry.url && changed.members == found.entry.members) return changed;
    changed.revision = found.entry.revision + 1;
    CIREIN_ASSIGN_OR_RETURN(DataObject object, DataObject::FromString(TextOf(changed)));
    const Result<ObjectInfo> published =
        pool_.Publish(EntryKey(url), std::move(object), {.if_version = found.version});
    if (published.code() == StatusCode::kFailedPrecondition) continue;  // Somebody was faster.
    if (!published.ok()) return published.status();
    CIREIN_ASSIGN_OR_RETURN(DataObject told, DataObject::FromString(""));
    const Status announced = pool_
                                 .Publish(AfterKey(url, found.entry.revision), std::move(told),
                                          {.overwrite = Overwrite::kYes, .ttl = kAnnounced})
                                 .status();
    if (!announced.ok()) return announced;
    return changed;
  }
  return Aborted(fmt::format("\"{}\" is changed by others all the time", url.BucketPath()),
                 "try again later");
}

Status Directory::Define(const ResourceUrl& url) const {
  CIREIN_ASSIGN_OR_RETURN(const ResourceUrl named, Named(url));
  if (named.is_reference()) {
    return InvalidArgument(fmt::format("\"{}\" says no type", named.ToString()),
                           "give such as dht:/path");
  }
  return Apply(named,
               [&](DirectoryInfo& entry) -> Status {
                 if (!entry.url.path().empty()) {
                   if (Agrees(named, entry.url)) return OkStatus();
                   return AlreadyExists(fmt::format("the directory has \"{}\" as \"{}\"",
                                                    named.BucketPath(), entry.url.ToString()),
                                        "drop that first, or choose another path");
                 }
                 entry.url = named;
                 return OkStatus();
               })
      .status();
}

Result<DirectoryInfo> Directory::Join(const ResourceUrl& url, const DirectoryMember& member) const {
  CIREIN_ASSIGN_OR_RETURN(const ResourceUrl named, Named(url));
  CIREIN_RETURN_IF_ERROR(CheckMemberName(member.name));
  CIREIN_ASSIGN_OR_RETURN(const std::string address, MemberAddress(member.address));
  CIREIN_ASSIGN_OR_RETURN(const Found before, Find(named));
  const auto takes_place_of = [&](const DirectoryMember& each) {
    return each.name == member.name && each.address != address;
  };
  const std::shared_ptr<Process> process = Process::Current();
  if (process != nullptr &&
      std::any_of(before.entry.members.begin(), before.entry.members.end(), takes_place_of)) {
    AwaitEarlierLeases(process->config(), process->environment());
  }
  return Apply(named, [&](DirectoryInfo& entry) -> Status {
    if (!entry.url.path().empty()) CIREIN_RETURN_IF_ERROR(BackOwn(entry.url, address));
    if (entry.url.path().empty() && entry.revision > 0) {
      return FailedPrecondition(fmt::format("\"{}\" was dropped", named.BucketPath()),
                                "define it anew");
    }
    if (entry.url.path().empty()) return NotDefined(named);
    const auto known = std::find_if(entry.members.begin(), entry.members.end(),
                                    [&](const auto& each) { return each.name == member.name; });
    if (known != entry.members.end()) {
      known->address = address;
    } else if (entry.members.size() == kMaxMembers) {
      return ResourceExhausted(
          fmt::format("\"{}\" has {} members", named.BucketPath(), kMaxMembers),
          "let one leave first");
    } else {
      entry.members.push_back({member.name, address});
    }
    return OkStatus();
  });
}

Result<DirectoryInfo> Directory::Leave(const ResourceUrl& url, std::string_view name) const {
  CIREIN_ASSIGN_OR_RETURN(const ResourceUrl named, Named(url));
  return Apply(named, [&](DirectoryInfo& entry) -> Status {
    if (entry.url.path().empty()) return NotDefined(named);
    if (std::erase_if(entry.members, [&](const auto& each) { return each.name == name; }) > 0) {
      return OkStatus();
    }
    return NotFound(
        fmt::format("{} is no member of \"{}\"", QuoteForPeople(name), named.BucketPath()),
        "see cirein resource info");
  });
}

Result<DirectoryInfo> Directory::Lookup(const ResourceUrl& url) const {
  CIREIN_ASSIGN_OR_RETURN(const ResourceUrl named, Named(url));
  CIREIN_ASSIGN_OR_RETURN(Found found, Find(named));
  if (!found.is_there()) return NotDefined(named);
  return std::move(found.entry);
}

Result<DirectoryInfo> Directory::Await(const ResourceUrl& url, Deadline deadline) const {
  CIREIN_ASSIGN_OR_RETURN(const ResourceUrl named, Named(url));
  const Clock& clock = RealClock::Instance();
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  const TimePoint end = clock.EndOf(deadline.is_default() ? process->default_deadline() : deadline);
  while (true) {
    CIREIN_ASSIGN_OR_RETURN(Found found, Find(named));
    if (found.is_there() && found.entry.members.size() >= found.entry.min_members()) {
      return std::move(found.entry);
    }
    const TimePoint now = clock.Now();
    if (now >= end) {
      if (!found.is_there()) return NotDefined(named);
      return DeadlineExceeded(
          fmt::format("\"{}\" has {} of the {} members it needs", named.BucketPath(),
                      found.entry.members.size(), found.entry.min_members()),
          "start the others: cirein serve --join");
    }
    Notification changed;
    Watch(
        named, found.entry.revision, [&](const Status& /*what*/) { changed.Notify(); },
        end == kEndOfTime ? kNoDeadline : Deadline(end - now));
    changed.WaitUntil(kEndOfTime);
  }
}

Status Directory::Drop(const ResourceUrl& url) const {
  CIREIN_ASSIGN_OR_RETURN(const ResourceUrl named, Named(url));
  return Apply(named,
               [&](DirectoryInfo& entry) -> Status {
                 if (entry.url.path().empty()) return NotDefined(named);
                 entry.url = ResourceUrl();
                 entry.members.clear();
                 return OkStatus();
               })
      .status();
}

Result<std::vector<DirectoryInfo>> Directory::List(std::string_view path_prefix,
                                                   Bucket bucket) const {
  CIREIN_ASSIGN_OR_RETURN(ResourceUrl below, ResourceUrl::Parse("ref:/x"));
  below.set_bucket(bucket);
  CIREIN_ASSIGN_OR_RETURN(below, Named(below));
  const std::string row = below.BucketPath();
  const std::string prefix = row.substr(0, row.size() - 2) + std::string(path_prefix);
  std::vector<DirectoryInfo> entries;
  ListOptions options;
  do {
    CIREIN_ASSIGN_OR_RETURN(ListPage page, pool_.List(Pattern::RowPrefix(prefix), options));
    for (const ListedObject& object : page.objects) {
      if (object.key.column() != kEntryColumn) continue;
      CIREIN_ASSIGN_OR_RETURN(const ResourceUrl url, ResourceUrl::Parse(object.key.row()));
      CIREIN_ASSIGN_OR_RETURN(Found found, Find(url));
      if (found.is_there()) entries.push_back(std::move(found.entry));
    }
    options.cursor = std::move(page.next);
  } while (!options.cursor.empty());
  std::sort(entries.begin(), entries.end(), [](const DirectoryInfo& a, const DirectoryInfo& b) {
    return a.url.path() < b.url.path();
  });
  return entries;
}

Operation Directory::Watch(const ResourceUrl& url, std::uint64_t revision,
                           std::function<void(Status)> done, Deadline deadline) const {
  const Result<ResourceUrl> named = Named(url);
  if (!named.ok()) {
    done(named.status());
    return Operation();
  }
  return pool_.Want(
      AfterKey(*named, revision),
      [done = std::move(done)](const Result<NamedObject>& after) { done(after.status()); },
      {.deadline = deadline});
}

}  // namespace cirein
