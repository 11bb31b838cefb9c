// SPDX-License-Identifier: Apache-2.0
#include "backing/posix_store.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backing/durability.h"
#include "backing/file_names.h"
#include "object/backed_image.h"
#include "runtime/file.h"
#include "runtime/input_file.h"

namespace cirein::backing {
namespace {

constexpr std::string_view kObjectEnding = ".obj";
// What is being written, or was when its process was killed.
constexpr std::string_view kUnfinished = ".obj.tmp-";

/// A file of an object, open, with its head read and checked.
struct OpenImage {
  InputFile file;
  std::string path;
  BackedHead head{};
  std::string name;  ///< Row and column.
};

Result<OpenImage> OpenAt(std::string path) {
  CIREIN_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  OpenImage image{std::move(file), std::move(path), {}, {}};
  CIREIN_RETURN_IF_ERROR(image.file.ReadAt(0, std::as_writable_bytes(std::span(&image.head, 1))));
  image.name.resize(image.head.name_bytes());
  CIREIN_RETURN_IF_ERROR(
      image.file.ReadAt(sizeof(image.head), std::as_writable_bytes(std::span(image.name))));
  CIREIN_RETURN_IF_ERROR(CheckBackedHead(image.head, image.name, image.path));
  if (image.file.bytes() != image.head.image_bytes()) {
    return DataLoss(fmt::format("'{}' has {} bytes, not the {} that its head says", image.path,
                                image.file.bytes(), image.head.image_bytes()),
                    "drop the object, or restore its file from a copy");
  }
  return image;
}

class PosixStore final : public BackingStore {
 public:
  PosixStore(std::string root, FileKept kept) : root_(std::move(root)), kept_(kept) {}

  Status Write(std::span<const BackedItem> items) override {
    if (items.size() > 1) {
      return Unimplemented("a posix store cannot write several objects as one",
                           "publish them one by one, or use a rocksdb or hdf5 store");
    }
    for (const BackedItem& item : items) {
      CIREIN_RETURN_IF_ERROR(PrepareShard(item.key));
      const BackedHead head = MakeBackedHead(item);
      const std::array<std::span<const std::byte>, 5> parts = {
          std::as_bytes(std::span(&head, 1)), std::as_bytes(std::span(item.key.row())),
          std::as_bytes(std::span(item.key.column())), item.value.object.meta(),
          item.value.object.data()};
      CIREIN_RETURN_IF_ERROR(WriteFileAtomically(PathOf(item.key), parts, kept_));
    }
    return OkStatus();
  }

  Result<BackedObject> Read(const Key& key) override {
    CIREIN_ASSIGN_OR_RETURN(const OpenImage image, OpenKey(key));
    const BackedHead& head = image.head;
    CIREIN_ASSIGN_OR_RETURN(DataObject object, DataObject::Allocate({.meta_bytes = head.meta_bytes,
                                                                     .data_bytes = head.data_bytes,
                                                                     .type = head.type}));
    const std::uint64_t body = sizeof(head) + head.name_bytes();
    CIREIN_RETURN_IF_ERROR(image.file.ReadAt(body, object.mutable_meta()));
    CIREIN_RETURN_IF_ERROR(image.file.ReadAt(body + head.meta_bytes, object.mutable_data()));
    CIREIN_RETURN_IF_ERROR(CheckBackedBody(head, object, image.path));
    return BackedOf(head, std::move(object));
  }

  Result<BackedFacts> Look(const Key& key) override {
    CIREIN_ASSIGN_OR_RETURN(const OpenImage image, OpenKey(key));
    return FactsOf(image.head);
  }

  Status Remove(const Key& key) override {
    CIREIN_RETURN_IF_ERROR(RemoveFile(PathOf(key)));
    return kept_ == FileKept::kOnMedium ? SyncDirectory(DirectoryOf(key)) : OkStatus();
  }

  // By shard, and there by row and column.
  Status List(const Pattern& pattern, const std::optional<Key>& after,
              const Visitor& visit) override {
    const std::string bucket = BucketPath(pattern.bucket());
    if (!pattern.row_is_prefix()) {
      const std::string shard = ShardOf(pattern.row());
      return ListShard(bucket + "/" + shard, pattern, after, visit).status();
    }
    const auto shards = ListDirectory(bucket);
    if (shards.code() == StatusCode::kNotFound) return OkStatus();
    CIREIN_RETURN_IF_ERROR(shards.status());
    const std::string first = after ? ShardOf(after->row()) : "";
    for (const DirectoryEntry& shard : *shards) {
      if (shard.kind != DirectoryEntry::Kind::kDirectory || shard.name < first) continue;
      CIREIN_ASSIGN_OR_RETURN(const bool goes_on,
                              ListShard(bucket + "/" + shard.name, pattern,
                                        shard.name == first ? after : std::optional<Key>(), visit));
      if (!goes_on) return OkStatus();
    }
    return OkStatus();
  }

 private:
  std::string BucketPath(Bucket bucket) const { return root_ + "/" + bucket.ToString(); }
  std::string DirectoryOf(const Key& key) const {
    return BucketPath(key.bucket()) + "/" + ShardOf(key.row());
  }
  static std::string FileOf(const Key& key) { return FileNameOf(key).append(kObjectEnding); }
  std::string PathOf(const Key& key) const { return DirectoryOf(key) + "/" + FileOf(key); }

  Result<OpenImage> OpenKey(const Key& key) const {
    CIREIN_ASSIGN_OR_RETURN(OpenImage image, OpenAt(PathOf(key)));
    if (BackedKey(image.head, image.name) == key) return image;
    return DataLoss(fmt::format("'{}' has an object of another name", image.path),
                    "somebody moved files about: move it back");
  }

  /// The directory of a row is there, and free of what died there.
  Status PrepareShard(const Key& key) {
    const std::string directory = DirectoryOf(key);
    const std::lock_guard lock(mutex_);
    if (prepared_.contains(directory)) return OkStatus();
    CIREIN_RETURN_IF_ERROR(MakeDirectories(directory));
    if (kept_ == FileKept::kOnMedium) {
      CIREIN_RETURN_IF_ERROR(SyncDirectory(BucketPath(key.bucket())));
      CIREIN_RETURN_IF_ERROR(SyncDirectory(root_));
    }
    CIREIN_ASSIGN_OR_RETURN(const auto entries, ListDirectory(directory));
    for (const DirectoryEntry& entry : entries) {
      if (entry.name.ends_with(kObjectEnding) || entry.name.find(kUnfinished) == std::string::npos) {
        continue;
      }
      CIREIN_RETURN_IF_ERROR(RemoveIfLeftBehind(directory + "/" + entry.name));
    }
    prepared_.insert(directory);
    return OkStatus();
  }

  /// False when the visitor ended it.
  static Result<bool> ListShard(const std::string& directory, const Pattern& pattern,
                                const std::optional<Key>& after, const Visitor& visit) {
    const auto entries = ListDirectory(directory);
    if (entries.code() == StatusCode::kNotFound) return true;
    CIREIN_RETURN_IF_ERROR(entries.status());
    std::vector<std::pair<Key, BackedFacts>> found;
    for (const DirectoryEntry& entry : *entries) {
      if (!entry.name.ends_with(kObjectEnding) || !MayBeginWith(entry.name, pattern.row())) continue;
      const Result<OpenImage> image = OpenAt(directory + "/" + entry.name);
      if (image.code() == StatusCode::kNotFound) continue;  // Dropped meanwhile.
      CIREIN_RETURN_IF_ERROR(image.status());
      Key key = BackedKey(image->head, image->name);
      if (!pattern.Matches(key) || (after && key <= *after)) continue;
      found.emplace_back(std::move(key), FactsOf(image->head));
    }
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    return std::all_of(found.begin(), found.end(),
                       [&](const auto& each) { return visit(each.first, each.second); });
  }

  const std::string root_;
  const FileKept kept_;
  std::mutex mutex_;
  std::set<std::string> prepared_;  // Directories. Guarded by mutex_.
};

Result<std::shared_ptr<BackingStore>> OpenPosix(const BackingStoreContext& context) {
  CIREIN_ASSIGN_OR_RETURN(const FileKept kept, DurabilityOf(context));
  CIREIN_RETURN_IF_ERROR(CheckDirectory(context.path));
  return std::shared_ptr<BackingStore>(std::make_shared<PosixStore>(context.path, kept));
}

}  // namespace

BackingStoreType PosixStoreType() {
  return {.name = "posix",
          .description = "a file per object, in a directory",
          .options = {"durability"},
          .factory = OpenPosix};
}

}  // namespace cirein::backing
