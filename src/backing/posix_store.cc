// SPDX-License-Identifier: Apache-2.0
#include "backing/posix_store.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backing/durability.h"
#include "backing/sharded_directory.h"
#include "object/backed_image.h"
#include "runtime/input_file.h"

namespace cirein::backing {
namespace {

constexpr std::string_view kObjectEnding = ".obj";

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
  explicit PosixStore(std::unique_ptr<ShardedDirectory> files) : files_(std::move(files)) {}

  Status Write(std::span<const BackedItem> items) override {
    if (items.size() > 1) {
      return Unimplemented("a posix store cannot write several objects as one",
                           "publish them one by one, or use a rocksdb or hdf5 store");
    }
    const BackedItem& item = items[0];
    const BackedHead head = MakeBackedHead(item);
    const std::array<std::span<const std::byte>, 5> parts = {
        std::as_bytes(std::span(&head, 1)), std::as_bytes(std::span(item.key.row())),
        std::as_bytes(std::span(item.key.column())), item.value.object.meta(),
        item.value.object.data()};
    return files_->Write(item.key.bucket(), item.key.row(), FileNameOf(item.key), parts);
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
    return files_->Remove(key.bucket(), key.row(), FileNameOf(key));
  }

  // By shard, and there by row and column.
  Status List(const Pattern& pattern, const std::optional<Key>& after,
              const Visitor& visit) override {
    CIREIN_ASSIGN_OR_RETURN(
        const auto shards,
        files_->Shards(pattern, after ? std::optional(after->row()) : std::nullopt));
    for (const std::string& shard : shards) {
      const bool is_first = after && shard == files_->ShardPath(after->bucket(), after->row());
      CIREIN_ASSIGN_OR_RETURN(
          const bool goes_on,
          ListShard(shard, pattern, is_first ? after : std::optional<Key>(), visit));
      if (!goes_on) return OkStatus();
    }
    return OkStatus();
  }

 private:
  Result<OpenImage> OpenKey(const Key& key) const {
    CIREIN_ASSIGN_OR_RETURN(OpenImage image,
                            OpenAt(files_->PathOf(key.bucket(), key.row(), FileNameOf(key))));
    if (BackedKey(image.head, image.name) == key) return image;
    return DataLoss(fmt::format("'{}' has an object of another name", image.path),
                    "somebody moved files about: move it back");
  }

  /// False when the visitor ended it.
  Result<bool> ListShard(const std::string& shard, const Pattern& pattern,
                         const std::optional<Key>& after, const Visitor& visit) const {
    CIREIN_ASSIGN_OR_RETURN(const auto names, files_->FilesIn(shard, pattern));
    std::vector<std::pair<Key, BackedFacts>> found;
    for (const std::string& name : names) {
      const Result<OpenImage> image = OpenAt(fmt::format("{}/{}", shard, name));
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

  const std::unique_ptr<ShardedDirectory> files_;
};

Result<std::shared_ptr<BackingStore>> OpenPosix(const BackingStoreContext& context) {
  CIREIN_ASSIGN_OR_RETURN(const FileKept kept, DurabilityOf(context));
  CIREIN_ASSIGN_OR_RETURN(auto files, ShardedDirectory::Open(context.path, kept, kObjectEnding));
  return std::shared_ptr<BackingStore>(std::make_shared<PosixStore>(std::move(files)));
}

}  // namespace

BackingStoreType PosixStoreType() {
  return {.name = "posix",
          .description = "a file per object, in a directory",
          .options = {"durability"},
          .factory = OpenPosix};
}

}  // namespace cirein::backing
