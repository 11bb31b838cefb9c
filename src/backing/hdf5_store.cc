// SPDX-License-Identifier: Apache-2.0
#include "backing/hdf5_store.h"

#ifdef CIREIN_HAVE_HDF5

#include <algorithm>
#include <cstring>
#include <hdf5.h>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backing/durability.h"
#include "backing/sharded_directory.h"
#include "base/text.h"
#include "object/backed_image.h"
#include "runtime/file.h"

// A row's file has the row's name in "@row", an object in a dataset of its data, whose attribute
// "@head" is the BackedHead, and its meta, if any, in a dataset "NAME@meta". No encoded column has
// an '@', and none is "%".

namespace cirein::backing {
namespace {

constexpr std::string_view kRowEnding = ".h5";
constexpr const char* kRow = "@row";
constexpr const char* kHead = "@head";
constexpr std::string_view kMeta = "@meta";
// The name of a file in memory: HDF5 looks whether it is there, so it must never be.
constexpr const char* kNowhere = "/dev/null/row";

/// Debian's HDF5 takes one thread at a time. While one holds this, the library says nothing by
/// itself.
class Hdf5Lock {
 public:
  Hdf5Lock() : lock_(Mutex()) {
    H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Hdf5Lock() { H5Eset_auto2(H5E_DEFAULT, print_, print_data_); }
  Hdf5Lock(const Hdf5Lock&) = delete;
  Hdf5Lock& operator=(const Hdf5Lock&) = delete;

 private:
  static std::mutex& Mutex() {
    static std::mutex mutex;
    return mutex;
  }
  const std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
};

/// Something of the library's, closed at the end. Under the lock, as all below.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const noexcept { return id_; }
  bool ok() const noexcept { return id_ >= 0; }

 private:
  hid_t id_;
  Close close_;
};

std::string Why() {
  std::string text = "no reason given";
  const auto take = [](unsigned depth, const H5E_error2_t* error, void* data) -> herr_t {
    if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(data) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take, &text);
  return text;
}

Status Unreadable(const std::string& path) {
  return DataLoss(fmt::format("'{}' cannot be read as HDF5: {}", path, Why()),
                  "restore the file from a copy, or remove it");
}

Status Unmade(std::string_view what) {
  return Internal(fmt::format("HDF5 cannot make {}: {}", what, Why()));
}

std::string DatasetOf(const Key& key) {
  if (!key.has_column()) return "@";
  if (key.column().empty()) return "%";
  return key.column() == "." ? "%2E" : PercentEncode(key.column());
}

bool IsObject(std::string_view dataset) { return dataset != kRow && !dataset.ends_with(kMeta); }

Result<Handle> OpenFile(const std::string& path) {
  CIREIN_RETURN_IF_ERROR(FileBytes(path).status());
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // Files are replaced as a whole, never changed: nobody needs to be kept out.
  H5Pset_file_locking(access.get(), false, true);
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (file.ok()) return file;
  CIREIN_RETURN_IF_ERROR(FileBytes(path).status());  // It may have been removed just now.
  return Unreadable(path);
}

std::vector<std::string> NamesIn(const Handle& file) {
  std::vector<std::string> names;
  const auto take = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  H5Literate(file.get(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, take, &names);
  return names;
}

Status WriteBytes(const Handle& file, const std::string& name, std::span<const std::byte> bytes,
                  const BackedHead* head) {
  const hsize_t count = bytes.size();
  const Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  const Handle set(H5Dcreate2(file.get(), name.c_str(), H5T_NATIVE_UINT8, space.get(), H5P_DEFAULT,
                              H5P_DEFAULT, H5P_DEFAULT),
                   H5Dclose);
  if (!set.ok()) return Unmade(name);
  if (count > 0 &&
      H5Dwrite(set.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0) {
    return Unmade(name);
  }
  if (head == nullptr) return OkStatus();
  const hsize_t head_bytes = sizeof(BackedHead);
  const Handle head_space(H5Screate_simple(1, &head_bytes, nullptr), H5Sclose);
  const Handle attribute(
      H5Acreate2(set.get(), kHead, H5T_NATIVE_UINT8, head_space.get(), H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  if (!attribute.ok() || H5Awrite(attribute.get(), H5T_NATIVE_UINT8, head) < 0)
    return Unmade(kHead);
  return OkStatus();
}

/// Fills `into`, which must be as long as the dataset is.
Status ReadBytes(const Handle& file, const std::string& path, const std::string& name,
                 std::span<std::byte> into) {
  const Handle set(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!set.ok()) return Unreadable(path);
  const Handle space(H5Dget_space(set.get()), H5Sclose);
  if (H5Sget_simple_extent_npoints(space.get()) != static_cast<hssize_t>(into.size())) {
    return DataLoss(
        fmt::format("'{}': the dataset {} has another size than its head says", path, name),
        "drop the object, or restore the file from a copy");
  }
  if (!into.empty() &&
      H5Dread(set.get(), H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, into.data()) < 0) {
    return Unreadable(path);
  }
  return OkStatus();
}

bool Has(const Handle& file, const std::string& name) {
  return H5Lexists(file.get(), name.c_str(), H5P_DEFAULT) > 0;
}

Result<std::string> RowIn(const Handle& file, const std::string& path) {
  const Handle set(H5Dopen2(file.get(), kRow, H5P_DEFAULT), H5Dclose);
  const Handle space(H5Dget_space(set.get()), H5Sclose);
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (!set.ok() || count <= 0 || count > static_cast<hssize_t>(kMaxRowBytes)) {
    return Unreadable(path);
  }
  std::string row(static_cast<std::size_t>(count), '\0');
  CIREIN_RETURN_IF_ERROR(ReadBytes(file, path, kRow, std::as_writable_bytes(std::span(row))));
  return row;
}

/// The checked head of an object whose row and column these are, one behind the other.
Result<BackedHead> ReadHead(const Handle& file, const std::string& path, const std::string& name,
                            std::string_view full_name) {
  const Handle set(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  const Handle attribute(H5Aopen(set.get(), kHead, H5P_DEFAULT), H5Aclose);
  BackedHead head{};
  if (!attribute.ok() || H5Aget_storage_size(attribute.get()) != sizeof(head) ||
      H5Aread(attribute.get(), H5T_NATIVE_UINT8, &head) < 0) {
    return Unreadable(path);
  }
  CIREIN_RETURN_IF_ERROR(CheckBackedHead(head, full_name, fmt::format("'{}' {}", path, name)));
  return head;
}

class Hdf5Store final : public BackingStore {
 public:
  explicit Hdf5Store(std::unique_ptr<ShardedDirectory> files) : files_(std::move(files)) {}

  Status Write(std::span<const BackedItem> items) override {
    std::vector<std::string> replaced;
    for (const BackedItem& item : items) replaced.push_back(DatasetOf(item.key));
    return Rewrite(items[0].key, replaced, items).status();
  }

  Result<BackedObject> Read(const Key& key) override {
    const Hdf5Lock lock;
    const std::string path = PathOf(key);
    CIREIN_ASSIGN_OR_RETURN(const Handle file, OpenFile(path));
    const std::string name = DatasetOf(key);
    CIREIN_ASSIGN_OR_RETURN(const BackedHead head, HeadOf(file, path, key));
    CIREIN_ASSIGN_OR_RETURN(DataObject object, DataObject::Allocate({.meta_bytes = head.meta_bytes,
                                                                     .data_bytes = head.data_bytes,
                                                                     .type = head.type}));
    CIREIN_RETURN_IF_ERROR(ReadBytes(file, path, name, object.mutable_data()));
    if (head.meta_bytes > 0) {
      CIREIN_RETURN_IF_ERROR(
          ReadBytes(file, path, name + std::string(kMeta), object.mutable_meta()));
    }
    CIREIN_RETURN_IF_ERROR(CheckBackedBody(head, object, fmt::format("'{}' {}", path, name)));
    return BackedOf(head, std::move(object));
  }

  Result<BackedFacts> Look(const Key& key) override {
    const Hdf5Lock lock;
    const std::string path = PathOf(key);
    CIREIN_ASSIGN_OR_RETURN(const Handle file, OpenFile(path));
    CIREIN_ASSIGN_OR_RETURN(const BackedHead head, HeadOf(file, path, key));
    return FactsOf(head);
  }

  Status Remove(const Key& key) override {
    const std::string name = DatasetOf(key);
    CIREIN_ASSIGN_OR_RETURN(const std::size_t left, Rewrite(key, {name}, {}));
    return left > 0 ? OkStatus() : files_->Remove(key.bucket(), key.row(), FileNameOf(key.row()));
  }

  // By shard, there by file name, there by column.
  Status List(const Pattern& pattern, const std::optional<Key>& after,
              const Visitor& visit) override {
    if (!pattern.row_is_prefix()) {
      const Key row = Key(pattern.row()).set_bucket(pattern.bucket());
      return ListRow(PathOf(row), pattern, after, visit).status();
    }
    CIREIN_ASSIGN_OR_RETURN(
        const auto shards,
        files_->Shards(pattern, after ? std::optional(after->row()) : std::nullopt));
    const std::string first = after ? PathOf(*after) : "";
    for (const std::string& shard : shards) {
      CIREIN_ASSIGN_OR_RETURN(const auto names, files_->FilesIn(shard, pattern));
      for (const std::string& name : names) {
        const std::string path = fmt::format("{}/{}", shard, name);
        if (path < first) continue;
        CIREIN_ASSIGN_OR_RETURN(
            const bool goes_on,
            ListRow(path, pattern, path == first ? after : std::optional<Key>(), visit));
        if (!goes_on) return OkStatus();
      }
    }
    return OkStatus();
  }

 private:
  std::string PathOf(const Key& key) const {
    return files_->PathOf(key.bucket(), key.row(), FileNameOf(key.row()));
  }

  static Result<BackedHead> HeadOf(const Handle& file, const std::string& path, const Key& key) {
    const std::string name = DatasetOf(key);
    if (!Has(file, name)) {
      return NotFound(fmt::format("'{}' has no dataset {}", path, name));
    }
    return ReadHead(file, path, name, key.row() + key.column());
  }

  /// Replaces the row's file by one without the datasets `without` and with `items`: how many
  /// objects it has. Where that is none, the file is left. NotFound where none of `without` was
  /// there and nothing is added.
  Result<std::size_t> Rewrite(const Key& row, const std::vector<std::string>& without,
                              std::span<const BackedItem> items) {
    std::vector<std::byte> image;
    std::size_t objects = items.size();
    {
      const Hdf5Lock lock;
      const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
      constexpr std::size_t kGrowBytes = std::size_t{1} << 16;
      H5Pset_fapl_core(access.get(), kGrowBytes, false);
      const Handle made(H5Fcreate(kNowhere, H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose);
      if (!made.ok()) return Unmade("a file");
      CIREIN_ASSIGN_OR_RETURN(const std::size_t copied, CopyOthers(row, without, made));
      objects += copied;
      if (objects == 0) return objects;
      CIREIN_RETURN_IF_ERROR(WriteBytes(made, kRow, std::as_bytes(std::span(row.row())), nullptr));
      for (const BackedItem& item : items) {
        const BackedHead head = MakeBackedHead(item);
        const std::string name = DatasetOf(item.key);
        CIREIN_RETURN_IF_ERROR(WriteBytes(made, name, item.value.object.data(), &head));
        if (head.meta_bytes == 0) continue;
        CIREIN_RETURN_IF_ERROR(
            WriteBytes(made, name + std::string(kMeta), item.value.object.meta(), nullptr));
      }
      if (H5Fflush(made.get(), H5F_SCOPE_GLOBAL) < 0) return Unmade("a file");
      const ssize_t bytes = H5Fget_file_image(made.get(), nullptr, 0);
      if (bytes <= 0) return Unmade("a file's image");
      image.resize(static_cast<std::size_t>(bytes));
      if (H5Fget_file_image(made.get(), image.data(), image.size()) != bytes) {
        return Unmade("a file's image");
      }
    }
    const std::span<const std::byte> part(image);
    CIREIN_RETURN_IF_ERROR(
        files_->Write(row.bucket(), row.row(), FileNameOf(row.row()), std::span(&part, 1)));
    return objects;
  }

  /// Of the file that is there, if there is one: all but these. How many objects that were.
  Result<std::size_t> CopyOthers(const Key& row, const std::vector<std::string>& without,
                                 const Handle& made) const {
    const std::string path = PathOf(row);
    const Result<Handle> old = OpenFile(path);
    if (old.code() == StatusCode::kNotFound) return std::size_t{0};
    CIREIN_RETURN_IF_ERROR(old.status());
    CIREIN_ASSIGN_OR_RETURN(const std::string name, RowIn(*old, path));
    if (name != row.row()) {
      return DataLoss(fmt::format("'{}' has a row of another name", path),
                      "somebody moved files about: move it back");
    }
    std::size_t objects = 0;
    for (const std::string& each : NamesIn(*old)) {
      const std::string object =
          each.ends_with(kMeta) ? each.substr(0, each.size() - kMeta.size()) : each;
      if (each == kRow || std::find(without.begin(), without.end(), object) != without.end()) {
        continue;
      }
      if (H5Ocopy(old->get(), each.c_str(), made.get(), each.c_str(), H5P_DEFAULT, H5P_DEFAULT) <
          0) {
        return Unreadable(path);
      }
      if (IsObject(each)) ++objects;
    }
    return objects;
  }

  /// False when the visitor ended it.
  static Result<bool> ListRow(const std::string& path, const Pattern& pattern,
                              const std::optional<Key>& after, const Visitor& visit) {
    std::vector<std::pair<Key, BackedFacts>> found;
    {
      const Hdf5Lock lock;
      const Result<Handle> file = OpenFile(path);
      if (file.code() == StatusCode::kNotFound) return true;
      CIREIN_RETURN_IF_ERROR(file.status());
      CIREIN_ASSIGN_OR_RETURN(const std::string row, RowIn(*file, path));
      for (const std::string& name : NamesIn(*file)) {
        if (!IsObject(name)) continue;
        Key key(row);
        if (name != "@") {
          CIREIN_ASSIGN_OR_RETURN(const std::string column,
                                  name == "%" ? Result<std::string>("") : PercentDecode(name));
          key = Key(row, column);
        }
        key.set_bucket(pattern.bucket());
        if (!pattern.Matches(key) || (after && key <= *after)) continue;
        CIREIN_ASSIGN_OR_RETURN(const BackedHead head, HeadOf(*file, path, key));
        found.emplace_back(std::move(key), FactsOf(head));
      }
    }
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    return std::all_of(found.begin(), found.end(),
                       [&](const auto& each) { return visit(each.first, each.second); });
  }

  const std::unique_ptr<ShardedDirectory> files_;
};

Result<std::shared_ptr<BackingStore>> OpenHdf5(const BackingStoreContext& context) {
  CIREIN_ASSIGN_OR_RETURN(const FileKept kept, DurabilityOf(context));
  CIREIN_ASSIGN_OR_RETURN(auto files, ShardedDirectory::Open(context.path, kept, kRowEnding));
  return std::shared_ptr<BackingStore>(std::make_shared<Hdf5Store>(std::move(files)));
}

}  // namespace
}  // namespace cirein::backing

#endif  // CIREIN_HAVE_HDF5

namespace cirein::backing {

BackingStoreType Hdf5StoreType() {
  BackingStoreType type{.name = "hdf5",
                        .description = "an HDF5 file per row, in a directory",
                        .options = {"durability"},
                        .factory = {}};
#ifdef CIREIN_HAVE_HDF5
  type.factory = OpenHdf5;
#else
  type.factory = [](const BackingStoreContext&) -> Result<std::shared_ptr<BackingStore>> {
    return Unimplemented("this build has no HDF5",
                         "install libhdf5-dev and build again, or use a posix store");
  };
#endif
  return type;
}

}  // namespace cirein::backing
