// SPDX-License-Identifier: Apache-2.0
#include "bench/pool_store.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/random.h"

namespace cirein::bench {

using dpm::Durability;

namespace {

constexpr Bucket kBucket{7};
constexpr const char* kTmpfs = "/dev/shm";

}  // namespace

void Must(const Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", status.ToString());
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): nothing that is measured can be saved.
}

Scratch::Scratch(const std::string& parent) : path_(parent + "/cirein-bench-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) Must(IoError("cannot make a directory in " + parent));
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool Medium::on_tmpfs() const { return parent == kTmpfs; }
bool Medium::waits() const { return !on_tmpfs() && durability == Durability::kPower; }

Media MakeMedia(const std::string& disk) {
  return {{"tmpfs, `process`", kTmpfs, FlushMode::kAuto, Durability::kProcess},
          {"tmpfs, cache-line flushes, `power`", kTmpfs, FlushMode::kCacheLine, Durability::kPower},
          {"disk, `process`", disk, FlushMode::kAuto, Durability::kProcess},
          {"disk, fdatasync, `power`", disk, FlushMode::kAuto, Durability::kPower}};
}

BenchKey MakeKey(std::uint64_t number) {
  const std::string text = fmt::format("user{:012}", number);
  BenchKey key{};
  std::copy_n(text.begin(), BenchKey::kBytes, key.bytes.begin());
  key.slot = SlotOfRow(text);
  return key;
}

std::vector<BenchKey> MakeKeys(std::uint64_t count) {
  std::vector<BenchKey> keys(count);
  for (std::uint64_t i = 0; i < count; ++i) keys[i] = MakeKey(i);
  return keys;
}

std::vector<std::byte> MakeValue(std::size_t bytes) {
  Random random(bytes);
  std::vector<std::byte> value(bytes);
  for (std::byte& byte : value) byte = static_cast<std::byte>(random());
  return value;
}

std::uint64_t LogBytes(BatchShape shape) {
  const BenchKey key = MakeKey(0);
  const std::vector<std::byte> value(shape.value_bytes);
  const dpm::EntryFields fields{.key = KeyView(kBucket, key.text()), .data = value};
  return dpm::AlignUp(sizeof(dpm::BatchHeader) + shape.count * dpm::EntryBytes(fields), dpm::kLine);
}

std::unique_ptr<dpm::Dpm> CreatePool(const Medium& medium, const std::string& path,
                                     dpm::CreateOptions options) {
  options.durability = medium.durability;
  options.pool_id = 0xC1BE;
  DirectoryOptions directory{.flush = medium.flush};
  directory.missing = DirectoryOptions::Missing::kMake;
  Must(dpm::Dpm::Create(*Must(OpenDirectorySpace(path, directory)), options));
  return OpenPool(medium, path);
}

std::unique_ptr<dpm::Dpm> OpenPool(const Medium& medium, const std::string& path,
                                   const std::string& boot_id) {
  DirectoryOptions directory{.flush = medium.flush};
  directory.boot_id = boot_id;
  dpm::Findings findings;
  return Must(dpm::Dpm::Open(Must(OpenDirectorySpace(path, directory)), {}, &findings));
}

PoolWriter::PoolWriter(dpm::Dpm& pool, std::uint32_t shard)
    : pool_(pool), writer_(pool.NewWriter(shard)) {}

void PoolWriter::Stage(const BenchKey& key, std::span<const std::byte> value) {
  const dpm::EntryFields fields{.key = KeyView(kBucket, key.text()),
                                .slot = key.slot,
                                .version = {pool_.epoch(), ++counter_},
                                .data = value};
  dpm::Location location;
  while (Must(writer_->Stage({&fields, 1}, {&location, 1})) == dpm::LogWriter::Staged::kFull) {
    Commit();
  }
}

void PoolWriter::Commit() { Must(writer_->Commit()); }
void PoolWriter::Seal() { Must(writer_->Seal()); }

void FillPool(dpm::Dpm& pool, std::span<const BenchKey> keys, PoolWriter& writer,
              BatchShape shape) {
  const std::vector<std::byte> value = MakeValue(shape.value_bytes);
  for (std::uint64_t i = 0; i < keys.size(); ++i) {
    writer.Stage(keys[i], value);
    if ((i + 1) % shape.count == 0) writer.Commit();
  }
  writer.Commit();
  Must(pool.MergeAll());
}

}  // namespace cirein::bench
