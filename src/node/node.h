// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dpm/dpm.h"
#include "dpm/processor.h"
#include "node/shard_log.h"
#include "object/striped_store.h"
#include "region/region.h"
#include "runtime/environment.h"
#include "runtime/executor.h"

namespace cirein::node {

/// A compute node inside a process, alone with its pool: shards over a pool of disaggregated memory
/// that this process opened, with the pool's processor beside them (DINOMO's KN without a network).
///
/// A shard is a partition of a StripedStore: what it has is touched by one thread at a time, the
/// one that calls, for which handing the work to a thread of the shard's own would cost more than
/// the work itself.
///
/// Thread-safe.
class Node {
 public:
  struct Options {
    /// A power of two, 1 to kMaxShards; as many as the pool has room for are made, so that each
    /// may have an open segment and what waits to be merged.
    std::uint32_t shards = 16;
    std::uint64_t cache_bytes = std::uint64_t{256} << 20;  ///< Of DRAM, for all shards together.
    /// All shards write to one log: then a transaction over any of them is one group (SAFETY 5),
    /// and what many have written is kept by one write. For a host that asks once for many.
    bool shared_log = false;
  };
  static constexpr std::uint32_t kMaxShards = 64;

  /// Opens the pool in this space, recovers it if need be, and serves it. What it finds is logged.
  /// `environment` and `executor`, whose threads may block, outlive Close. Errors as Dpm::Open.
  static Result<std::shared_ptr<Node>> Open(std::unique_ptr<RegionSpace> space,
                                            const Environment& environment, Executor& executor,
                                            const Options& options);
  /// Closes it, if nobody has.
  ~Node();

  /// The object operations.
  const std::shared_ptr<StripedStore>& store() const noexcept { return store_; }
  /// For statistics, checks and tests.
  dpm::Dpm& pool() noexcept { return *pool_; }

  /// Everyone who waits gets Unavailable; all that was answered is persisted, and the pool is left
  /// clean. Blocks. An error: the pool is left as by a crash, which loses nothing.
  Status Close();

 private:
  Node(std::shared_ptr<dpm::Dpm> pool, const Environment& environment, Executor& executor,
       const Options& options);

  const std::shared_ptr<dpm::Dpm> pool_;
  std::unique_ptr<dpm::Processor> processor_;
  std::vector<std::shared_ptr<ShardLog>> logs_;
  std::shared_ptr<StripedStore> store_;
  std::once_flag closing_;
  Status closed_;
};

}  // namespace cirein::node
