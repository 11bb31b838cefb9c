// SPDX-License-Identifier: Apache-2.0
#include "pool/elastic_pool.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "base/units.h"
#include "dpm/dpm.h"
#include "dpm/layout.h"
#include "node/node.h"
#include "pool/process.h"
#include "pool/store_pool.h"
#include "region/directory_space.h"
#include "runtime/entropy.h"

namespace cirein {
namespace {

struct ElasticOptions {
  std::optional<dpm::Durability> durability;
  std::uint64_t size_bytes = std::uint64_t{1} << 30;
  bool create = true;
  node::Node::Options node;
};

Status NoValue(std::string_view option, std::string_view value, std::string_view hint) {
  return InvalidArgument(fmt::format("{}={} means nothing", option, QuoteForPeople(value)),
                         std::string(hint));
}

Result<ElasticOptions> ParseElasticOptions(const ResourceUrl& url) {
  ElasticOptions options;
  if (const auto durability = url.option("durability")) {
    if (*durability != "process" && *durability != "power") {
      return NoValue("durability", *durability,
                     "give process (the end of the process; a power cut costs up to a second) or "
                     "power (a power cut as well)");
    }
    options.durability =
        *durability == "power" ? dpm::Durability::kPower : dpm::Durability::kProcess;
  }
  if (const auto size = url.option("size")) {
    CIREIN_ASSIGN_OR_RETURN(options.size_bytes, ParseBytes(*size));
  }
  if (const auto create = url.option("create")) {
    if (*create != "yes" && *create != "no") return NoValue("create", *create, "give yes or no");
    options.create = *create == "yes";
  }
  if (const auto cache = url.option("cache")) {
    CIREIN_ASSIGN_OR_RETURN(options.node.cache_bytes, ParseBytes(*cache));
  }
  if (const auto shards = url.option("shards")) {
    const Result<std::uint64_t> count = ParseUint64(*shards);
    if (!count.ok() || !std::has_single_bit(*count) || *count > node::Node::kMaxShards) {
      return NoValue("shards", *shards,
                     fmt::format("give a power of two, 1 to {}", node::Node::kMaxShards));
    }
    options.node.shards = static_cast<std::uint32_t>(*count);
  }
  return options;
}

Status Create(const std::string& path, const ElasticOptions& options, const Clock& clock) {
  DirectoryOptions directory;
  directory.missing = DirectoryOptions::Missing::kMake;
  CIREIN_ASSIGN_OR_RETURN(const auto space, OpenDirectorySpace(path, directory));
  Entropy entropy = Entropy::FromSystem();
  dpm::CreateOptions create;
  create.log_bytes = options.size_bytes;
  create.segment_bytes = dpm::DefaultSegmentBytes(options.size_bytes);
  create.durability = options.durability.value_or(dpm::Durability::kProcess);
  while (create.pool_id == 0) create.pool_id = entropy.Seed();
  create.created_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(clock.WallNow()).count());
  return dpm::Dpm::Create(*space, create);
}

bool OnlyZeros(RegionSpace& space, const char* name, std::uint64_t most_bytes) {
  const auto region = space.Open(name, RegionUse::kLog, RegionSpace::Access::kReadOnly);
  if (!region.ok()) return region.status().code() == StatusCode::kNotFound;
  const std::byte* const bytes = (*region)->data();
  return std::all_of(bytes, bytes + std::min((*region)->size(), most_bytes),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

// Did somebody die here while making a pool? Then its superblock, which is written last, is zeros,
// and nothing was ever written to its log. Where the log has anything, a pool was damaged: that is
// for a person to decide. (Create looks again, with the lock.)
bool WasNeverFinished(const std::string& path) {
  const auto space = OpenDirectorySpace(path);
  if (!space.ok()) return false;
  const auto entries = (*space)->List();
  return entries.ok() &&
         std::any_of(entries->begin(), entries->end(),
                     [](const auto& entry) { return entry.name == dpm::kControlName; }) &&
         OnlyZeros(**space, dpm::kControlName, 2 * dpm::kPage) &&
         OnlyZeros(**space, dpm::kLogName, UINT64_MAX);
}

Result<std::shared_ptr<node::Node>> OpenNode(const std::string& path, const ElasticOptions& options,
                                             Process& process) {
  const auto open = [&]() -> Result<std::shared_ptr<node::Node>> {
    CIREIN_ASSIGN_OR_RETURN(auto space, OpenDirectorySpace(path));
    return node::Node::Open(std::move(space), process.environment(), process.pool_executor(),
                            options.node);
  };
  auto opened = open();
  if (opened.ok() || !options.create) return opened;
  if (opened.status().code() == StatusCode::kNotFound || WasNeverFinished(path)) {
    CIREIN_RETURN_IF_ERROR(Create(path, options, process.environment().clock));
    opened = open();
  }
  return opened;
}

Result<std::shared_ptr<PoolBackend>> MakeElasticPool(const PoolContext& context) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  const std::string& path = context.url.path();
  if (path.empty() || context.url.is_root()) {
    return InvalidArgument("an elastic: pool needs the directory it is in",
                           "give elastic:/path/to/a/directory");
  }
  CIREIN_ASSIGN_OR_RETURN(const StorePoolOptions store_options, ParseStorePoolOptions(context));
  CIREIN_ASSIGN_OR_RETURN(const ElasticOptions options, ParseElasticOptions(context.url));
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<node::Node> node, process->nodes().Share(path, [&] {
    return OpenNode(path, options, *process);
  }));
  if (options.durability && *options.durability != node->pool().durability()) {
    return FailedPrecondition(
        fmt::format("the pool in '{}' has durability={}", path,
                    node->pool().durability() == dpm::Durability::kPower ? "power" : "process"),
        "leave the option out, or create another pool: a pool's durability never changes");
  }
  // The store alone would outlive its node.
  const std::shared_ptr<StripedStore> store(node, node->store().get());
  return MakeStorePool("elastic", store, process->environment().clock, store_options);
}

}  // namespace

PoolType ElasticPoolType() {
  return {.name = "elastic",
          .description = "objects that outlive the process, in a pool of disaggregated memory",
          .options = StorePoolOptionNames({"durability", "size", "create", "cache", "shards"}),
          .factory = MakeElasticPool};
}

}  // namespace cirein
