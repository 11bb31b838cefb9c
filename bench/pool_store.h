// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dpm/dpm.h"
#include "region/directory_space.h"

/// What the measurements of pools share: media, keys, and a pool that is used with as little beside
/// it as can be. Every failure ends the program.
namespace cirein::bench {

/// A directory to measure in, removed at the end.
class Scratch {
 public:
  explicit Scratch(const std::string& parent);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Where a pool is and what it promises.
struct Medium {
  const char* name;
  std::string parent;  ///< The directory to measure in.
  FlushMode flush;
  dpm::Durability durability;
  /// Commits wait for a disk.
  bool waits() const;
  bool on_tmpfs() const;
};

/// The media that are measured; the disk is below `disk`.
struct Media {
  Medium tmpfs_process;
  Medium tmpfs_power;
  Medium disk_process;
  Medium disk_power;
};
Media MakeMedia(const std::string& disk);

/// A key made ahead, with its slot: what finds a key's owner is not the pool's work.
struct BenchKey {
  static constexpr std::size_t kBytes = 16;
  std::array<char, kBytes> bytes;
  std::uint16_t slot;
  std::string_view text() const { return {bytes.data(), kBytes}; }
};
BenchKey MakeKey(std::uint64_t number);
/// All keys from 0 on.
std::vector<BenchKey> MakeKeys(std::uint64_t count);

/// Bytes that do not compress.
std::vector<std::byte> MakeValue(std::size_t bytes);

/// The size of the batch that the log gets for so many objects.
struct BatchShape {
  std::size_t value_bytes = 0;
  std::size_t count = 0;
  friend bool operator==(const BatchShape&, const BatchShape&) = default;
};
std::uint64_t LogBytes(BatchShape shape);

std::unique_ptr<dpm::Dpm> CreatePool(const Medium& medium, const std::string& path,
                                     dpm::CreateOptions options);
/// As after a start of the machine of this id, or of the present one when it is empty.
std::unique_ptr<dpm::Dpm> OpenPool(const Medium& medium, const std::string& path,
                                   const std::string& boot_id = {});

/// One shard's writing end.
class PoolWriter {
 public:
  PoolWriter(dpm::Dpm& pool, std::uint32_t shard);
  /// Versions from now on are above all given before the turn.
  void BeginTurn(std::uint64_t turn) { counter_ = turn << 40; }
  /// Stages; commits first when the batch is full.
  void Stage(const BenchKey& key, std::span<const std::byte> value);
  void Commit();
  void Seal();
  std::uint64_t bytes_written() const { return writer_->bytes_written(); }

 private:
  dpm::Dpm& pool_;
  std::unique_ptr<dpm::LogWriter> writer_;
  std::uint64_t counter_ = 0;
};

/// Puts every key once, in batches, and merges.
void FillPool(dpm::Dpm& pool, std::span<const BenchKey> keys, PoolWriter& writer, BatchShape shape);

void Must(const Status& status);
template <typename T>
T Must(Result<T> result) {
  Must(result.status());
  return std::move(*result);
}

}  // namespace cirein::bench
