// SPDX-License-Identifier: Apache-2.0
#include "node/node.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/logging.h"
#include "node/dpm_engine.h"

namespace cirein::node {

namespace {

/// Segments that a shard needs: its open one, those not merged, and its share of what is dead.
constexpr std::uint64_t kSegmentsForShard = 8;

std::uint32_t ShardsFor(const dpm::Dpm& pool, std::uint32_t wanted) {
  const std::uint64_t room =
      std::max<std::uint64_t>(pool.superblock().segments / kSegmentsForShard, std::uint64_t{1});
  return static_cast<std::uint32_t>(
      std::bit_floor(std::min({std::uint64_t{wanted}, room, std::uint64_t{Node::kMaxShards}})));
}

}  // namespace

Result<std::shared_ptr<Node>> Node::Open(std::unique_ptr<RegionSpace> space,
                                         const Environment& environment, Executor& executor,
                                         const Options& options) {
  dpm::Findings findings;
  auto pool = dpm::Dpm::Open(std::move(space), {}, &findings);
  for (const dpm::Finding& finding : findings) {
    if (finding.severity == dpm::Finding::Severity::kNote) {
      LogInfo("pool", "{}", finding.what);
    } else {
      LogWarn("pool", "{}", finding.what);
    }
  }
  if (!pool.ok()) return pool.status();
  return std::shared_ptr<Node>(new Node(std::move(*pool), environment, executor, options));
}

Node::Node(std::shared_ptr<dpm::Dpm> pool, const Environment& environment, Executor& executor,
           const Options& options)
    : pool_(std::move(pool)) {
  // Before there are writers, which tell it of their commits.
  processor_ = std::make_unique<dpm::Processor>(*pool_, environment.clock, environment.timers,
                                                executor, dpm::Processor::Options());
  const std::uint32_t wanted = std::bit_floor(std::clamp(options.shards, 1U, kMaxShards));
  const std::uint32_t shards = options.shared_log ? wanted : ShardsFor(*pool_, wanted);
  const auto commit = options.shared_log ? ShardLog::Commit::kTogether : ShardLog::Commit::kEach;
  std::vector<StripedStore::Partition> partitions;
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    if (shard == 0 || !options.shared_log) {
      logs_.push_back(
          std::make_shared<ShardLog>(pool_, shard, environment.clock, executor, commit));
    }
    auto engine = std::make_unique<DpmEngine>(
        pool_, logs_.back(), environment.clock,
        DpmEngine::Options{
            .shard = shard, .shards = shards, .cache_bytes = options.cache_bytes / shards});
    partitions.push_back({std::move(engine), logs_.back()});
  }
  store_ = StripedStore::Create(environment, &DpmEngine::PlaceOf, std::move(partitions));
}

Node::~Node() { static_cast<void>(Close().ok()); }

Status Node::Close() {
  std::call_once(closing_, [this] {
    store_->Close();
    for (const std::shared_ptr<ShardLog>& log : logs_) {
      if (Status status = log->Close(); closed_.ok()) closed_ = status;
    }
    processor_.reset();
    if (closed_.ok()) closed_ = pool_->Close();
    if (!closed_.ok()) LogWarn("pool", "closing: {}", closed_.ToString());
  });
  return closed_;
}

}  // namespace cirein::node
