// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/data_object.h"
#include "cirein/key.h"
#include "cirein/status.h"

namespace cirein {

/// An object that a folder holds: its key, and the file with its image.
struct FolderEntry {
  Key key;
  std::string file;  ///< Its name in the folder.
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;  ///< The one in the image.
};

/// Objects in a folder of the file system: an image of each (DataObject::WriteImage), and the
/// manifest, which says what the folder holds; docs/file-format.md. It is written last and as a
/// whole, and no image is ever changed, so that whatever happens the folder holds what the last
/// finished save put there.
class ObjectFolder {
 public:
  static constexpr std::string_view kManifest = "manifest";

  /// Reads the manifest, and looks whether each of its files is there in full. Blocks. Errors:
  /// NotFound when there is no folder, or no manifest in it; DataLoss when something is missing.
  static Result<ObjectFolder> Open(std::string path);

  /// In the order of their keys.
  std::span<const FolderEntry> entries() const noexcept { return entries_; }
  /// Blocks. DataLoss when the file is not what was saved.
  Result<DataObject> Read(const FolderEntry& entry) const;

 private:
  friend class ObjectFolderWriter;
  explicit ObjectFolder(std::string path) : path_(std::move(path)) {}
  Status ReadManifest();

  std::string path_;
  std::vector<FolderEntry> entries_;
};

/// One save into a folder. Of two at a time into one folder the later one counts, and either may
/// fail.
class ObjectFolderWriter {
 public:
  /// Makes the folder if it is not there. Blocks. Errors as in runtime/file.h; DataLoss when its
  /// manifest cannot be read.
  static Result<ObjectFolderWriter> Open(std::string path);

  /// Writes the object's image; blocks until it is on the medium. Of one key the last object
  /// counts.
  Status Add(const Key& key, const DataObject& object);
  std::uint64_t count() const noexcept { return entries_.size(); }
  /// From now on the folder holds what was added and nothing else: images of a former save go.
  /// Once.
  Status Finish();

 private:
  explicit ObjectFolderWriter(ObjectFolder before) : before_(std::move(before)) {}

  ObjectFolder before_;
  std::map<Key, FolderEntry> entries_;
};

}  // namespace cirein
