// SPDX-License-Identifier: Apache-2.0
#include "bench/pool_peers.h"

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <lmdb.h>
#include <optional>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>
#include <sys/mman.h>

#include "bench/pool_worker.h"
#include "region/cache_flush.h"
#include "runtime/file_descriptor.h"

namespace cirein::bench {
namespace {

using dpm::Durability;

class PoolStore final : public AppendStore {
 public:
  PoolStore(const Medium& medium, const AppendSettings& settings)
      : scratch_(medium.parent),
        pool_(CreatePool(medium, scratch_.path() + "/pool", {.log_bytes = settings.log_bytes})) {
    for (std::size_t writer = 0; writer < settings.writers; ++writer) {
      writers_.push_back(std::make_unique<PoolWriter>(*pool_, static_cast<std::uint32_t>(writer)));
    }
    WriteAll(settings.log_bytes);
  }
  void BeginTurn() override {
    ++turn_;
    for (auto& writer : writers_) writer->BeginTurn(turn_);
    worker_.emplace(*pool_);
  }
  void EndTurn() override { worker_.reset(); }
  void Settle() override { Must(pool_->MergeAll()); }
  void Append(std::size_t writer, std::span<const BenchKey> keys,
              std::span<const std::byte> value) override {
    for (const BenchKey& key : keys) writers_[writer]->Stage(key, value);
    writers_[writer]->Commit();
  }

 private:
  // What is measured is a pool in use, not the first touch of its segments.
  void WriteAll(std::uint64_t log_bytes) {
    const std::vector<BenchKey> keys = MakeKeys(100);
    const std::vector<std::byte> value = MakeValue(65536);
    BeginTurn();
    while (writers_[0]->bytes_written() < log_bytes) Append(0, keys, value);
    EndTurn();
  }

  Scratch scratch_;
  std::unique_ptr<dpm::Dpm> pool_;
  std::vector<std::unique_ptr<PoolWriter>> writers_;
  std::uint64_t turn_ = 0;
  std::optional<PoolWorker> worker_;
};

class BareStore final : public AppendStore {
 public:
  BareStore(const Medium& medium, const AppendSettings& settings)
      : scratch_(medium.parent),
        mapped_(medium.on_tmpfs()),
        power_(medium.durability == Durability::kPower),
        share_(settings.log_bytes / settings.writers),
        next_(settings.writers),
        source_(std::size_t{8} << 20) {
    file_ = FileDescriptor(open((scratch_.path() + "/bare").c_str(), O_RDWR | O_CREAT, 0600));
    // Written once: what is measured is a medium in use, not its first touch.
    for (std::uint64_t at = 0; at < settings.log_bytes; at += source_.size()) {
      Check(pwrite(file_.get(), source_.data(), source_.size(), static_cast<off_t>(at)) > 0);
    }
    Check(fsync(file_.get()) == 0);
    if (!mapped_) return;
    void* const mapping = mmap(nullptr, settings.log_bytes, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_POPULATE, file_.get(), 0);
    Check(mapping != MAP_FAILED);
    bytes_ = static_cast<std::byte*>(mapping);
    mapping_bytes_ = settings.log_bytes;
  }
  ~BareStore() override {
    if (bytes_ != nullptr) munmap(bytes_, mapping_bytes_);
  }
  void Append(std::size_t writer, std::span<const BenchKey> keys,
              std::span<const std::byte> value) override {
    Place& place = next_[writer];
    const BatchShape shape{value.size(), keys.size()};
    // Worked out once, because that takes longer than to write them.
    if (shape != place.shape) place = {place.at, shape, LogBytes(shape)};
    const std::uint64_t bytes = place.bytes;
    if (place.at + bytes > share_) place.at = 0;
    const std::uint64_t at = writer * share_ + place.at;
    place.at += bytes;
    if (mapped_) {
      std::memcpy(bytes_ + at, source_.data(), bytes);
      if (power_) FlushCacheLines(bytes_ + at, bytes);
      return;
    }
    Check(pwrite(file_.get(), source_.data(), bytes, static_cast<off_t>(at)) ==
          static_cast<ssize_t>(bytes));
    if (power_) Check(fdatasync(file_.get()) == 0);
  }

 private:
  struct alignas(128) Place {
    std::uint64_t at = 0;
    BatchShape shape;
    std::uint64_t bytes = 0;
  };
  static void Check(bool good) {
    if (!good) Must(IoError(std::string("the bare medium: ") + std::strerror(errno)));
  }

  Scratch scratch_;
  const bool mapped_;
  const bool power_;
  const std::uint64_t share_;
  std::vector<Place> next_;
  std::vector<std::byte> source_;
  FileDescriptor file_;
  std::byte* bytes_ = nullptr;
  std::size_t mapping_bytes_ = 0;
};

class RocksStore final : public AppendStore {
 public:
  RocksStore(const Medium& medium, const AppendSettings& settings) : scratch_(medium.parent) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;  // The values do not compress.
    options.IncreaseParallelism(2);
    rocksdb::DB* db = nullptr;
    Check(rocksdb::DB::Open(options, scratch_.path() + "/rocksdb", &db));
    db_.reset(db);
    write_.sync = medium.durability == Durability::kPower;
    batches_.resize(settings.writers);
    EndTurn();
  }
  ~RocksStore() override { BeginTurn(); }
  void BeginTurn() override { Check(db_->ContinueBackgroundWork()); }
  void EndTurn() override { Check(db_->PauseBackgroundWork()); }
  void Append(std::size_t writer, std::span<const BenchKey> keys,
              std::span<const std::byte> value) override {
    rocksdb::WriteBatch& batch = batches_[writer];
    batch.Clear();
    const rocksdb::Slice data(reinterpret_cast<const char*>(value.data()), value.size());  // NOLINT
    for (const BenchKey& key : keys) {
      Check(batch.Put(rocksdb::Slice(key.bytes.data(), BenchKey::kBytes), data));
    }
    Check(db_->Write(write_, &batch));
  }

 private:
  static void Check(const rocksdb::Status& status) {
    if (!status.ok()) Must(IoError("RocksDB: " + status.ToString()));
  }

  Scratch scratch_;

  rocksdb::WriteOptions write_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::WriteBatch> batches_;
};

class LmdbStore final : public AppendStore {
 public:
  LmdbStore(const Medium& medium, const AppendSettings& /*settings*/) : scratch_(medium.parent) {
    Check(mdb_env_create(&environment_));
    Check(mdb_env_set_mapsize(environment_, std::size_t{8} << 30));
    const unsigned flags = medium.durability == Durability::kPower ? 0 : MDB_NOSYNC;
    Check(mdb_env_open(environment_, scratch_.path().c_str(), flags, 0600));
    MDB_txn* transaction = nullptr;
    Check(mdb_txn_begin(environment_, nullptr, 0, &transaction));
    Check(mdb_dbi_open(transaction, nullptr, 0, &table_));
    Check(mdb_txn_commit(transaction));
  }
  ~LmdbStore() override { mdb_env_close(environment_); }
  void Append(std::size_t /*writer*/, std::span<const BenchKey> keys,
              std::span<const std::byte> value) override {
    MDB_txn* transaction = nullptr;
    Check(mdb_txn_begin(environment_, nullptr, 0, &transaction));
    for (const BenchKey& key : keys) {
      MDB_val name{BenchKey::kBytes, const_cast<char*>(key.bytes.data())};
      MDB_val data{value.size(), const_cast<std::byte*>(value.data())};
      Check(mdb_put(transaction, table_, &name, &data, 0));
    }
    Check(mdb_txn_commit(transaction));
  }

 private:
  static void Check(int result) {
    if (result != 0) Must(IoError(std::string("LMDB: ") + mdb_strerror(result)));
  }

  Scratch scratch_;

  MDB_env* environment_ = nullptr;
  MDB_dbi table_ = 0;
};

}  // namespace

std::unique_ptr<AppendStore> MakePoolStore(const Medium& medium, const AppendSettings& settings) {
  return std::make_unique<PoolStore>(medium, settings);
}
std::unique_ptr<AppendStore> MakeBareStore(const Medium& medium, const AppendSettings& settings) {
  return std::make_unique<BareStore>(medium, settings);
}
std::unique_ptr<AppendStore> MakeRocksStore(const Medium& medium, const AppendSettings& settings) {
  return std::make_unique<RocksStore>(medium, settings);
}
std::unique_ptr<AppendStore> MakeLmdbStore(const Medium& medium, const AppendSettings& settings) {
  return std::make_unique<LmdbStore>(medium, settings);
}

}  // namespace cirein::bench
