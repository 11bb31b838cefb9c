// SPDX-License-Identifier: Apache-2.0
#include "backing/rocksdb_store.h"

#ifdef CIREIN_HAVE_ROCKSDB

#include <array>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "backing/durability.h"
#include "base/text.h"
#include "object/backed_image.h"

namespace cirein::backing {
namespace {

Status StatusOf(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return OkStatus();
  const std::string text = fmt::format("RocksDB cannot {}: {}", doing, status.ToString());
  if (status.IsNotFound()) return NotFound(text);
  if (status.IsCorruption()) {
    return DataLoss(text, "restore the database from a copy, or repair it with RocksDB's ldb");
  }
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::SubCode::kNoSpace) {
    return IoError(text, "free space on its file system (df -h), or choose another one");
  }
  return IoError(text, "look into the file LOG in its directory");
}

// A name in the order of bucket, row, and column with the object without one first: a row ends with
// 00 01, and a 00 in it is 00 FF, so no row's text begins another's.
void AppendRow(std::string& text, std::string_view row) {
  for (const char c : row) {
    text.push_back(c);
    if (c == '\0') text.push_back('\xFF');
  }
}

std::string BucketText(Bucket bucket) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text.push_back(static_cast<char>((bucket.id() >> shift) & 0xFF));
  }
  return text;
}

std::string NameOf(const Key& key) {
  std::string name = BucketText(key.bucket());
  AppendRow(name, key.row());
  name.append({'\0', '\x01'});
  if (key.has_column()) name.append(1, '\x01').append(key.column());
  return name;
}

/// What the names of all that matches begin with.
std::string PrefixOf(const Pattern& pattern) {
  if (pattern.is_exact()) return NameOf(pattern.key().set_bucket(pattern.bucket()));
  std::string prefix = BucketText(pattern.bucket());
  AppendRow(prefix, pattern.row());
  if (pattern.row_is_prefix()) return prefix;
  prefix.append({'\0', '\x01'});
  if (pattern.column_match() == Pattern::ColumnMatch::kPrefix) {
    prefix.append(1, '\x01').append(pattern.column());
  }
  return prefix;
}

rocksdb::Slice SliceOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
rocksdb::Slice SliceOf(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ViewOf(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class RocksdbStore final : public BackingStore {
 public:
  RocksdbStore(std::string path, FileDescriptor held, FileKept kept)
      : path_(std::move(path)), held_(std::move(held)) {
    write_.sync = kept == FileKept::kOnMedium;
  }

  /// Closes the database, if it is open, and opens it.
  Status OpenAnew() {
    const std::unique_lock lock(mutex_);
    db_.reset();
    rocksdb::Options options;
    options.create_if_missing = true;
    options.paranoid_checks = true;
    // What a crash cut off was not answered; anything else that is wrong with the log must be told.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    rocksdb::DB* db = nullptr;
    const rocksdb::Status opened = rocksdb::DB::Open(options, path_, &db);
    db_.reset(db);
    return StatusOf(opened, "open its database");
  }

  Status Write(std::span<const BackedItem> items) override {
    rocksdb::WriteBatch batch;
    for (const BackedItem& item : items) {
      const BackedHead head = MakeBackedHead(item);
      const std::string name = NameOf(item.key);
      const rocksdb::Slice name_part(name);
      const std::array<rocksdb::Slice, 5> parts = {
          SliceOf(std::as_bytes(std::span(&head, 1))), SliceOf(item.key.row()),
          SliceOf(item.key.column()), SliceOf(item.value.object.meta()),
          SliceOf(item.value.object.data())};
      CIREIN_RETURN_IF_ERROR(
          StatusOf(batch.Put(rocksdb::SliceParts(&name_part, 1),
                             rocksdb::SliceParts(parts.data(), static_cast<int>(parts.size()))),
                   "take so large an object"));
    }
    return Commit(batch);
  }

  Result<BackedObject> Read(const Key& key) override {
    std::string image;
    CIREIN_RETURN_IF_ERROR(Get(key, &image));
    return UnpackBacked(key, image);
  }

  Result<BackedFacts> Look(const Key& key) override {
    std::string image;
    CIREIN_RETURN_IF_ERROR(Get(key, &image));
    return UnpackBackedFacts(key, image);
  }

  Status Remove(const Key& key) override {
    rocksdb::WriteBatch batch;
    CIREIN_RETURN_IF_ERROR(StatusOf(batch.Delete(NameOf(key)), "remove"));
    return Commit(batch);
  }

  // By name.
  Status List(const Pattern& pattern, const std::optional<Key>& after,
              const Visitor& visit) override {
    const std::string prefix = PrefixOf(pattern);
    const std::shared_lock lock(mutex_);
    if (db_ == nullptr) return NotOpen();
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
    std::string from = prefix;
    // The least name behind that one.
    if (after) from = std::max(from, NameOf(*after).append(1, '\0'));
    for (it->Seek(from); it->Valid() && it->key().starts_with(prefix); it->Next()) {
      const std::string_view image = ViewOf(it->value());
      CIREIN_ASSIGN_OR_RETURN(const Key key, UnpackBackedKey(image));
      if (!pattern.Matches(key)) continue;
      CIREIN_ASSIGN_OR_RETURN(const BackedFacts facts, UnpackBackedFacts(key, image));
      if (!visit(key, facts)) return OkStatus();
    }
    return StatusOf(it->status(), "list");
  }

 private:
  Status NotOpen() const {
    return IoError(
        fmt::format("the database in '{}' could not be opened again after a write failed", path_),
        "make room on its file system; the next write tries anew");
  }

  Status Get(const Key& key, std::string* image) const {
    const std::shared_lock lock(mutex_);
    if (db_ == nullptr) return NotOpen();
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), NameOf(key), image);
    if (status.IsNotFound()) return NotFound(fmt::format("no \"{}\"", key.ToString()));
    return StatusOf(status, fmt::format("read \"{}\"", key.ToString()));
  }

  Status Commit(rocksdb::WriteBatch& batch) {
    {
      const std::shared_lock lock(mutex_);
      if (db_ != nullptr && db_->Write(write_, &batch).ok()) return OkStatus();
    }
    // After a write that failed it takes none any more; perhaps there is room by now.
    CIREIN_RETURN_IF_ERROR(OpenAnew());
    const std::shared_lock lock(mutex_);
    if (db_ == nullptr) return NotOpen();
    return StatusOf(db_->Write(write_, &batch), "write");
  }

  const std::string path_;
  const FileDescriptor held_;  // Until the database is closed.
  rocksdb::WriteOptions write_;
  mutable std::shared_mutex mutex_;  // Held alone by who opens the database, shared by its users.
  std::unique_ptr<rocksdb::DB> db_;  // Guarded by mutex_.
};

Result<std::shared_ptr<BackingStore>> OpenRocksdb(const BackingStoreContext& context) {
  CIREIN_ASSIGN_OR_RETURN(const FileKept kept, DurabilityOf(context));
  CIREIN_ASSIGN_OR_RETURN(FileDescriptor held, TakeDirectory(context.path));
  const auto store = std::make_shared<RocksdbStore>(context.path, std::move(held), kept);
  CIREIN_RETURN_IF_ERROR(store->OpenAnew());
  return std::shared_ptr<BackingStore>(store);
}

}  // namespace
}  // namespace cirein::backing

#endif  // CIREIN_HAVE_ROCKSDB

namespace cirein::backing {

BackingStoreType RocksdbStoreType() {
  BackingStoreType type{.name = "rocksdb",
                        .description = "a RocksDB database, in a directory",
                        .options = {"durability"},
                        .factory = {}};
#ifdef CIREIN_HAVE_ROCKSDB
  type.factory = OpenRocksdb;
#else
  type.factory = [](const BackingStoreContext&) -> Result<std::shared_ptr<BackingStore>> {
    return Unimplemented("this build has no RocksDB",
                         "install librocksdb-dev and build again, or use a posix store");
  };
#endif
  return type;
}

}  // namespace cirein::backing
