// SPDX-License-Identifier: Apache-2.0
#include "pool/member_pools.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "pool/member_list.h"
#include "pool/process.h"
#include "pool/process_network.h"
#include "pool/remote_pool.h"
#include "pool/routed_pool.h"
#include "pool/store_pool.h"

namespace cirein {
namespace {

constexpr std::uint64_t kMaxRank = UINT32_MAX;

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

using MakeRoute = Result<MemberRoute> (*)(const PoolContext& context, std::size_t members);

Result<std::shared_ptr<PoolBackend>> MakeMemberPool(std::string_view type, MakeRoute make_route,
                                                    PoolContext context) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  if (!context.behavior) context.behavior = Behavior(Behavior::kDefaultRemote);
  CIREIN_ASSIGN_OR_RETURN(const StorePoolOptions options, ParseStorePoolOptions(context));
  CIREIN_ASSIGN_OR_RETURN(const std::vector<fabric::Address> members, MembersIn(context.url));
  if (members.empty()) {
    return InvalidArgument(fmt::format("\"{}\" does not say who its members are",
                                       context.url.ToString()),
                           "give &num=N and &ag0=HOST:PORT to agN-1");
  }
  CIREIN_ASSIGN_OR_RETURN(MemberRoute route, make_route(context, members.size()));
  CIREIN_ASSIGN_OR_RETURN(ProcessNetwork* const network, process->network());
  const Environment& environment = process->environment();
  std::vector<std::shared_ptr<PoolBackend>> backends;
  backends.reserve(members.size());
  for (const fabric::Address& member : members) {
    backends.push_back(
        IsSameMember(member, network->address())
            ? MakeStorePool(type, process->store(), environment.clock, options)
            : MakeRemotePool(type, std::make_shared<MemberLink>(*network, member),
                             environment.clock, environment.timers, options));
  }
  return MakeRoutedPool(type, std::move(backends), std::move(route));
}

PoolType MemberPoolType(const char* name, const char* description, MakeRoute make_route,
                        std::vector<std::string> own) {
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
