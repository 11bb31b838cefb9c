// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "bench/pool_store.h"

/// What batches of objects are written to, side by side: a pool, the bare medium, RocksDB, LMDB.
namespace cirein::bench {

class AppendStore {
 public:
  virtual ~AppendStore() = default;
  /// Whatever works beside the writers works between these two only, so that one store's work does
  /// not disturb the turn of another.
  virtual void BeginTurn() {}
  virtual void EndTurn() {}
  /// From now on other writers may write the same keys: in a pool a key changes its owner only when
  /// all that was written is merged.
  virtual void Settle() {}
  /// One batch, with the value for each of the keys; back when it is as durable as the medium says.
  /// One thread for each writer.
  virtual void Append(std::size_t writer, std::span<const BenchKey> keys,
                      std::span<const std::byte> value) = 0;
};

struct AppendSettings {
  std::size_t writers;      ///< At most so many.
  std::uint64_t log_bytes;  ///< Of the pool's log, and of what the bare medium writes round.
};

std::unique_ptr<AppendStore> MakePoolStore(const Medium& medium, const AppendSettings& settings);
/// memcpy to a mapping, and the flush that the medium asks for; or pwrite, and fdatasync. Of as
/// many bytes as the pool writes for the same batch.
std::unique_ptr<AppendStore> MakeBareStore(const Medium& medium, const AppendSettings& settings);
/// One WriteBatch for each batch, with a synced log for Durability::kPower.
std::unique_ptr<AppendStore> MakeRocksStore(const Medium& medium, const AppendSettings& settings);
/// One transaction for each batch; MDB_NOSYNC for Durability::kProcess.
std::unique_ptr<AppendStore> MakeLmdbStore(const Medium& medium, const AppendSettings& settings);

}  // namespace cirein::bench
