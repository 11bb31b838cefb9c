// SPDX-License-Identifier: Apache-2.0
#include "pool/member_pools.h"

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

#include "base/hash.h"
#include "base/logging.h"
#include "base/text.h"
#include "pool/member_list.h"
#include "pool/process.h"
#include "pool/process_network.h"
#include "pool/remote_pool.h"
#include "pool/replicated_pool.h"
#include "pool/routed_pool.h"
#include "pool/store_pool.h"

namespace cirein {
namespace {

constexpr std::uint64_t kMaxRank = UINT32_MAX;
constexpr std::uint64_t kMaxReplicas = 16;
// A directory that was lost, and is another one now, tells nobody.
constexpr std::chrono::seconds kLookAgain{5};

std::vector<fabric::Address> AddressesOf(const DirectoryInfo& entry) {
  std::vector<fabric::Address> addresses;
  for (const DirectoryMember& member : entry.members) addresses.push_back(member.address);
  return addresses;
}

std::size_t ByHash(std::string_view row, Bucket bucket, std::size_t members) {
  return static_cast<std::size_t>(Hash64(row, bucket.id()) % members);
}

Result<MemberRoute> DhtRoute(const PoolContext& context, std::size_t members) {
  return MemberRoute{.owner = [bucket = context.url.bucket(), members](std::string_view row) {
    return ByHash(row, bucket, members);
  }};
}

Result<MemberRoute> RftRoute(const PoolContext& context, std::size_t members) {
  const std::optional<std::string> text = context.url.option("rank");
  if (!text) {
    return InvalidArgument("an rft: pool needs the rank of who uses it", "give such as &rank=0");
  }
  const Result<std::uint64_t> rank = ParseUint64(*text);
  if (!rank.ok() || *rank > kMaxRank) {
    return InvalidArgument(fmt::format("rank={} is no rank", QuoteForPeople(*text)),
                           fmt::format("give 0 to {}", kMaxRank));
  }
  const std::size_t owner = static_cast<std::size_t>(*rank % members);
  return MemberRoute{.owner = [owner](std::string_view /*row*/) { return owner; },
                     .many_owners = false};
}

Result<MemberRoute> TftRoute(const PoolContext& context, std::size_t members) {
  return MemberRoute{.owner = [bucket = context.url.bucket(), members](std::string_view row) {
    const std::optional<std::uint32_t> tag = RowTag(row);
    return tag ? *tag % members : ByHash(row, bucket, members);
  }};
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
  return static_cast<std::size_t>(*replicas);
}

using MakeRoute = Result<MemberRoute> (*)(const PoolContext& context, std::size_t members);

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
    CIREIN_ASSIGN_OR_RETURN(MemberRoute route, parts.make_route(parts.context, addresses.size()));
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
    url.set_option("num", std::to_string(addresses_.size()));
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
        addresses_(std::move(addresses)) {}

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

  static void LookAgain(const std::shared_ptr<MemberPool>& pool, const Directory& directory,
                        std::uint64_t revision) {
    const Result<DirectoryInfo> entry = directory.Lookup(pool->parts_.context.url);
    // While the directory is away, and once the pool is not in it any more, what is known stays.
    if (entry.ok() && entry->revision != revision) {
      revision = entry->revision;
      pool->Take(*entry);
    }
    Follow(pool, directory, revision);
  }

  void Take(const DirectoryInfo& entry) {
    const std::vector<fabric::Address> addresses = AddressesOf(entry);
    if (addresses.empty() || addresses.size() < entry.min_members()) return;
    if (addresses.size() < parts_.replicas) return;
    Result<MemberRoute> route = parts_.make_route(parts_.context, addresses.size());
    if (!route.ok()) return;
    LogInfo("pool", "{}: {} members, as the directory says", entry.url.BucketPath(),
            addresses.size());
    Replace(MembersOf(parts_, addresses), std::move(*route));
  }

  const Parts parts_;
  const std::vector<fabric::Address> addresses_;  // At first.
  std::mutex mutex_;
  Operation watch_;  // Guarded by mutex_.
};

Result<std::shared_ptr<PoolBackend>> MakeMemberPool(std::string_view type, MakeRoute make_route,
                                                    PoolContext context) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  if (!context.behavior) context.behavior = Behavior(Behavior::kDefaultRemote);
  CIREIN_ASSIGN_OR_RETURN(const StorePoolOptions options, ParseStorePoolOptions(context));
  CIREIN_ASSIGN_OR_RETURN(const std::size_t replicas, ReplicasOf(context, options));
  CIREIN_ASSIGN_OR_RETURN(std::vector<fabric::Address> addresses, MembersIn(context.url));
  CIREIN_ASSIGN_OR_RETURN(ProcessNetwork* const network, process->network());
  std::optional<Directory> directory;
  std::uint64_t revision = 0;
  if (addresses.empty()) {
    CIREIN_ASSIGN_OR_RETURN(directory, Directory::Connect());
    CIREIN_ASSIGN_OR_RETURN(const DirectoryInfo entry, directory->Await(context.url));
    if (entry.url.type() != type) {
      return InvalidArgument(fmt::format("\"{}\" is a {} in the directory, not a {}",
                                         entry.url.BucketPath(), entry.url.type(), type),
                             "leave the type out of the URL");
    }
    addresses = AddressesOf(entry);
    revision = entry.revision;
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
  own.emplace_back("min_members");
  own.emplace_back("replicas");
  own.emplace_back("num");
  own.emplace_back("ag#");
  return {.name = name,
          .description = description,
          .options = StorePoolOptionNames(std::move(own)),
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
