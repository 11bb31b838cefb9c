// SPDX-License-Identifier: Apache-2.0
#include "pool/member_pools.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cirein/directory.h"

#include "base/logging.h"
#include "base/text.h"
#include "pool/group_membership.h"
#include "pool/member_list.h"
#include "pool/member_route.h"
#include "pool/pool_backing.h"
#include "pool/process.h"
#include "pool/process_network.h"
#include "pool/remote_pool.h"
#include "pool/replicated_pool.h"
#include "pool/routed_pool.h"
#include "pool/store_pool.h"
#include "runtime/file.h"

namespace cirein {
namespace {

constexpr std::uint64_t kMaxRank = UINT32_MAX;
constexpr std::uint64_t kMaxReplicas = 16;
// As the option rank: the place that this process has among the members.
constexpr std::string_view kOwnRank = "self";
// A directory that was lost, and is another one now, tells nobody.
constexpr std::chrono::seconds kLookAgain{5};

std::vector<fabric::Address> AddressesOf(const DirectoryInfo& entry) {
  std::vector<fabric::Address> addresses;
  for (const DirectoryMember& member : entry.members) addresses.push_back(member.address);
  return addresses;
}

/// Of a pool's members: how many they are, and which one this process is, if it is one.
struct Ranks {
  std::size_t members = 0;
  std::optional<std::size_t> own;
};

Ranks RanksOf(const std::vector<fabric::Address>& addresses, const fabric::Address& own) {
  const auto found = std::find_if(addresses.begin(), addresses.end(),
                                  [&](const auto& each) { return IsSameMember(each, own); });
  Ranks ranks{.members = addresses.size(), .own = std::nullopt};
  if (found != addresses.end()) ranks.own = static_cast<std::size_t>(found - addresses.begin());
  return ranks;
}

Result<MemberRoute> DhtRoute(const PoolContext& context, const Ranks& ranks) {
  return RouteByHash(context.url.bucket(), ranks.members);
}

Result<std::uint64_t> RankOfCaller(const PoolContext& context, const Ranks& ranks) {
  const std::string text = context.url.option("rank").value_or(std::string(kOwnRank));
  if (text == kOwnRank) {
    if (ranks.own) return std::uint64_t{*ranks.own};
    return InvalidArgument("this process is none of the rft: pool's members, so it has no rank",
                           "give the rank of one of them, such as &rank=0");
  }
  const Result<std::uint64_t> rank = ParseUint64(text);
  if (rank.ok() && *rank <= kMaxRank) return *rank;
  return InvalidArgument(fmt::format("rank={} is no rank", QuoteForPeople(text)),
                         fmt::format("give 0 to {}, or {}", kMaxRank, kOwnRank));
}

Result<MemberRoute> RftRoute(const PoolContext& context, const Ranks& ranks) {
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t rank, RankOfCaller(context, ranks));
  return RouteByRank(rank, ranks.members);
}

/// How many members have each row.
Result<std::size_t> ReplicasOf(const PoolContext& context, const StorePoolOptions& options) {
  const std::optional<std::string> text = context.url.option("replicas");
  if (!text) return std::size_t{1};
  const Result<std::uint64_t> replicas = ParseUint64(*text);
  if (!replicas.ok() || *replicas == 0 || *replicas > kMaxReplicas) {
    return InvalidArgument(
        fmt::format("replicas={} is no number of members", QuoteForPeople(*text)),
        fmt::format("give 1 to {}", kMaxReplicas));
  }
  if (*replicas > 1 && (options.behavior.has(Behavior::kEnableOverwrites) || options.keep != 0)) {
    return InvalidArgument("a pool with replicas is write-once, and keeps all columns",
                           "leave out replicas, or EnableOverwrites and keep");
  }
  if (*replicas > 1 && NamesBacking(context.url)) {
    return InvalidArgument("a pool with replicas has no store behind it",
                           "leave out replicas, or the store");
  }
  return static_cast<std::size_t>(*replicas);
}

Result<MemberRoute> TftRoute(const PoolContext& context, const Ranks& ranks) {
  return RouteByTag(context.url.bucket(), ranks.members);
}

using MakeRoute = Result<MemberRoute> (*)(const PoolContext& context, const Ranks& ranks);

/// Of one pool: how its members are made, and where.
class MemberPool final : public RoutedPool {
 public:
  struct Parts {
    std::string_view type;
    PoolContext context;
    MakeRoute make_route;
    StorePoolOptions options;
    std::size_t replicas;
    Process& process;  ///< Outlives the pool.
    ProcessNetwork& network;
  };

  static Result<std::shared_ptr<MemberPool>> Make(Parts parts,
                                                  const std::vector<fabric::Address>& addresses) {
    if (parts.replicas > addresses.size()) {
      return InvalidArgument(
          fmt::format("replicas={} of {} members", parts.replicas, addresses.size()),
          "give fewer replicas, or min_members to wait for more members");
    }
    CIREIN_ASSIGN_OR_RETURN(
        MemberRoute route,
        parts.make_route(parts.context, RanksOf(addresses, parts.network.address())));
    Members members = MembersOf(parts, addresses);
    return std::shared_ptr<MemberPool>(
        new MemberPool(std::move(parts), addresses, std::move(members), std::move(route)));
  }
  ~MemberPool() override {
    const std::lock_guard lock(mutex_);
    watch_.Cancel();
  }

  /// From now on its members are those that the directory says.
  static void Follow(const std::shared_ptr<MemberPool>& pool, const Directory& directory,
                     std::uint64_t revision) {
    const auto changed = [weak = std::weak_ptr(pool), directory, revision](const Status& what) {
      const std::shared_ptr<MemberPool> held = weak.lock();
      if (held == nullptr || held->parts_.process.stopped()) return;
      const auto look = [weak, directory, revision] {
        const std::shared_ptr<MemberPool> still = weak.lock();
        if (still != nullptr) LookAgain(still, directory, revision);
      };
      if (what.ok() || what.code() == StatusCode::kDeadlineExceeded) return look();
      // It could not even be watched.
      const Environment& environment = held->parts_.process.environment();
      environment.timers.RunAt(environment.clock.Now() + kLookAgain,
                               [look, &executor = held->parts_.process.pool_executor()] {
                                 (void)executor.Submit(look);
                               });
    };
    Operation watch = directory.Watch(pool->parts_.context.url, revision, changed, kLookAgain);
    const std::lock_guard lock(pool->mutex_);
    pool->watch_ = std::move(watch);
  }

  std::optional<ResourceUrl> ResolvedUrl() const override {
    ResourceUrl url = parts_.context.url;
    url.remove_option("group").set_option("num", std::to_string(addresses_.size()));
    for (std::size_t i = 0; i < addresses_.size(); ++i) {
      url.set_option(fmt::format("ag{}", i), addresses_[i]);
    }
    if (url.ToString().size() > ResourceUrl::kMaxBytes) return std::nullopt;
    return url;
  }

 private:
  MemberPool(Parts parts, std::vector<fabric::Address> addresses, Members members,
             MemberRoute route)
      : RoutedPool(parts.type, std::move(members), std::move(route)),
        parts_(std::move(parts)),
        addresses_(std::move(addresses)),
        taken_(addresses_) {}

  /// Each of them with its rows alone.
  static Members MembersOf(const Parts& parts, const std::vector<fabric::Address>& addresses) {
    std::vector<std::shared_ptr<MemberLink>> links;  // Null: this process.
    for (const fabric::Address& address : addresses) {
      const bool self = IsSameMember(address, parts.network.address());
      links.push_back(self ? nullptr : std::make_shared<MemberLink>(parts.network, address));
    }
    const Environment& environment = parts.process.environment();
    const auto replica = [&](std::size_t owner, std::size_t place) {
      StorePoolOptions options = parts.options;
      options.bucket = BucketOfReplica(options.bucket, place);
      const auto& link = links[(owner + place) % links.size()];
      return link == nullptr
                 ? MakeStorePool(parts.type, parts.process.store(), environment.clock, options)
                 : MakeRemotePool(parts.type, link, environment.clock, environment.timers, options);
    };
    Members members;
    for (std::size_t owner = 0; owner < addresses.size(); ++owner) {
      Members replicas;
      for (std::size_t i = 0; i < parts.replicas; ++i) replicas.push_back(replica(owner, i));
      members.push_back(replicas.size() == 1
                            ? replicas.front()
                            : MakeReplicatedPool(parts.type, std::move(replicas), environment));
    }
    return members;
  }

  static void LookAgain(const std::shared_ptr<MemberPool>& pool, const Directory& before,
                        std::uint64_t revision) {
    // It may be hosted elsewhere by now.
    const Directory directory = Directory::Connect().value_or(before);
    const Result<DirectoryInfo> entry = directory.Lookup(pool->parts_.context.url);
    // While the directory is away, and once the pool is not in it any more, what is known stays.
    if (entry.ok()) {
      revision = entry->revision;
      pool->Take(*entry);
    }
    Follow(pool, directory, revision);
  }

  void Take(const DirectoryInfo& entry) {
    const std::vector<fabric::Address> addresses = AddressesOf(entry);
    if (addresses.empty() || addresses.size() < entry.min_members()) return;
    if (addresses.size() < parts_.replicas) return;
    // Not by the revision: a directory that was started anew may have come to the same one.
    if (const std::lock_guard lock(mutex_); addresses == taken_) return;
    Result<MemberRoute> route =
        parts_.make_route(parts_.context, RanksOf(addresses, parts_.network.address()));
    if (!route.ok()) return;
    LogInfo("pool", "{}: {} members, as the directory says", entry.url.BucketPath(),
            addresses.size());
    Replace(MembersOf(parts_, addresses), std::move(*route));
    const std::lock_guard lock(mutex_);
    taken_ = addresses;
  }

  const Parts parts_;
  const std::vector<fabric::Address> addresses_;  // At first.
  std::mutex mutex_;
  Operation watch_;                     // Guarded by mutex_, as is the next.
  std::vector<fabric::Address> taken_;  // By the directory's last word.
};

/// What the directory knows of the pool, once it has the members it needs.
Result<DirectoryInfo> EntryOf(const ResourceUrl& url, std::string_view type,
                              const Directory& directory) {
  CIREIN_ASSIGN_OR_RETURN(DirectoryInfo entry, directory.Await(url));
  if (entry.url.type() == type) return entry;
  return InvalidArgument(fmt::format("\"{}\" is a {} in the directory, not a {}",
                                     entry.url.BucketPath(), entry.url.type(), type),
                         "leave the type out of the URL");
}

Status CheckEnough(const ResourceUrl& url, std::size_t members) {
  DirectoryInfo asked;
  asked.url = url;
  const std::size_t least = asked.min_members();
  if (members >= least) return OkStatus();
  return FailedPrecondition(
      fmt::format("\"{}\" has {} members, and needs {}", url.BucketPath(), members, least),
      "start more of them, or lower min_members");
}

/// What the directory says of the pool and the URL does not.
Status TakeOptions(const ResourceUrl& entry, PoolContext* context) {
  for (const auto& [name, value] : entry.options()) {
    if (!context->url.option(name)) context->url.set_option(name, value);
  }
  if (const auto behavior = context->url.option("behavior")) {
    CIREIN_ASSIGN_OR_RETURN(context->behavior, Behavior::Parse(*behavior));
  }
  return OkStatus();
}

Result<std::shared_ptr<PoolBackend>> MakeMemberPool(std::string_view type, MakeRoute make_route,
                                                    PoolContext context) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  CIREIN_ASSIGN_OR_RETURN(std::vector<fabric::Address> addresses, MembersIn(context.url));
  CIREIN_ASSIGN_OR_RETURN(ProcessNetwork* const network, process->network());
  std::optional<Directory> directory;
  std::uint64_t revision = 0;
  if (addresses.empty()) {
    const std::string group = context.url.option("group").value_or(std::string());
    CIREIN_ASSIGN_OR_RETURN(const std::string form, GroupForm(group, process->config(), Environ()));
    if (form == "directory") {
      CIREIN_ASSIGN_OR_RETURN(directory, Directory::Connect());
      CIREIN_ASSIGN_OR_RETURN(const DirectoryInfo entry, EntryOf(context.url, type, *directory));
      addresses = AddressesOf(entry);
      revision = entry.revision;
      CIREIN_RETURN_IF_ERROR(TakeOptions(entry.url, &context));
    } else {
      CIREIN_ASSIGN_OR_RETURN(const Group joined, process->JoinGroup(form, Deadline()));
      CIREIN_ASSIGN_OR_RETURN(addresses, MembersIn(joined.WithMembers(context.url)));
    }
  }
  if (!context.behavior) {
    context.behavior = Behavior(NamesBacking(context.url) ? Behavior::kDefaultRemoteIom
                                                          : Behavior::kDefaultRemote);
  }
  CIREIN_ASSIGN_OR_RETURN(const StorePoolOptions options, ParseStorePoolOptions(context));
  CIREIN_ASSIGN_OR_RETURN(const std::size_t replicas, ReplicasOf(context, options));
  CIREIN_RETURN_IF_ERROR(CheckEnough(context.url, addresses.size()));
  if (RanksOf(addresses, network->address()).own) {
    CIREIN_RETURN_IF_ERROR(BackBucket(*process, context.url, options.behavior));
  }
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<MemberPool> pool,
                          MemberPool::Make({type, std::move(context), make_route, options, replicas,
                                            *process, *network},
                                           addresses));
  if (directory) MemberPool::Follow(pool, *directory, revision);
  return std::shared_ptr<PoolBackend>(pool);
}

PoolType MemberPoolType(const char* name, const char* description, MakeRoute make_route,
                        std::vector<std::string> own) {
  own.emplace_back("group");
  own.emplace_back("min_members");
  own.emplace_back("replicas");
  own.emplace_back("num");
  own.emplace_back("ag#");
  return {.name = name,
          .description = description,
          .options = BackedOptionNames(StorePoolOptionNames(std::move(own))),
          .factory = [name, make_route](const PoolContext& context) {
            return MakeMemberPool(name, make_route, context);
          }};
}

}  // namespace

PoolType DhtPoolType() {
  return MemberPoolType("dht", "objects in the memory of several processes, by the row's hash",
                        DhtRoute, {});
}

PoolType RftPoolType() {
  return MemberPoolType("rft", "objects in the memory of the process that a rank leads to",
                        RftRoute, {"rank"});
}

PoolType TftPoolType() {
  return MemberPoolType("tft", "objects in the memory of several processes, by the row's tag",
                        TftRoute, {});
}

}  // namespace cirein
