// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <lmdb.h>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "bench/elastic_store.h"

namespace cirein::bench {
namespace {

std::span<const std::byte> Bytes(const void* data, std::size_t bytes) {
  return {static_cast<const std::byte*>(data), bytes};
}

void Look(std::span<const std::byte> found, const Content& content, KeyStore::Look look) {
  (look == KeyStore::Look::kWhole ? MustBeWhole : MustBe)(found, content);
}

class RocksStore final : public KeyStore {
 public:
  explicit RocksStore(const StoreSettings& settings) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;  // The values do not compress.
    options.IncreaseParallelism(2);
    const std::uint64_t cache_bytes = settings.cache_bytes == StoreSettings::kOwnDefault
                                          ? std::uint64_t{256} << 20
                                          : settings.cache_bytes;
    options.OptimizeForPointLookup((cache_bytes >> 20) + 1);
    std::filesystem::create_directories(settings.directory);
    rocksdb::DB* db = nullptr;
    Check(rocksdb::DB::Open(options, settings.directory + "/rocksdb", &db));
    db_.reset(db);
    write_.sync = settings.promise == Promise::kPower;
  }
  void Publish(std::string key, const DataObject& object) override {
    const std::string_view data = object.text();
    Check(db_->Put(write_, key, rocksdb::Slice(data.data(), data.size())));
  }
  void Need(std::string key, const Content& content, KeyStore::Look look) override {
    rocksdb::PinnableSlice found;
    Check(db_->Get(read_, db_->DefaultColumnFamily(), key, &found));
    bench::Look(Bytes(found.data(), found.size()), content, look);
  }
  void Tidy() override {
    Check(db_->Flush(rocksdb::FlushOptions()));
    Check(db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr));
  }

 private:
  static void Check(const rocksdb::Status& status) {
    if (!status.ok()) Must(IoError("RocksDB: " + status.ToString()));
  }

  const rocksdb::ReadOptions read_;
  rocksdb::WriteOptions write_;
  std::unique_ptr<rocksdb::DB> db_;
};

class LmdbStore final : public KeyStore {
 public:
  explicit LmdbStore(const StoreSettings& settings) {
    std::filesystem::create_directories(settings.directory);
    Check(mdb_env_create(&environment_));
    Check(mdb_env_set_mapsize(environment_, std::size_t{8} << 30));
    Check(mdb_env_open(environment_, settings.directory.c_str(), 0, 0600));
    MDB_txn* transaction = nullptr;
    Check(mdb_txn_begin(environment_, nullptr, 0, &transaction));
    Check(mdb_dbi_open(transaction, nullptr, 0, &table_));
    Check(mdb_txn_commit(transaction));
  }
  ~LmdbStore() override { mdb_env_close(environment_); }
  void Publish(std::string key, const DataObject& object) override {
    MDB_txn* transaction = nullptr;
    Check(mdb_txn_begin(environment_, nullptr, 0, &transaction));
    MDB_val name{key.size(), key.data()};
    MDB_val data{object.data_bytes(), const_cast<std::byte*>(object.data().data())};
    Check(mdb_put(transaction, table_, &name, &data, 0));
    Check(mdb_txn_commit(transaction));
  }
  void Need(std::string key, const Content& content, KeyStore::Look look) override {
    MDB_txn* transaction = nullptr;
    Check(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction));
    MDB_val name{key.size(), key.data()};
    MDB_val data{};
    Check(mdb_get(transaction, table_, &name, &data));
    bench::Look(Bytes(data.mv_data, data.mv_size), content, look);
    mdb_txn_abort(transaction);
  }

 private:
  static void Check(int result) {
    if (result != 0) Must(IoError(std::string("LMDB: ") + mdb_strerror(result)));
  }

  MDB_env* environment_ = nullptr;
  MDB_dbi table_ = 0;
};

}  // namespace

std::unique_ptr<KeyStore> MakeRocksStore(const StoreSettings& settings) {
  return std::make_unique<RocksStore>(settings);
}
std::unique_ptr<KeyStore> MakeLmdbStore(const StoreSettings& settings) {
  return std::make_unique<LmdbStore>(settings);
}

}  // namespace cirein::bench
