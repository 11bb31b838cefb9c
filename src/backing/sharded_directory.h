// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cirein/key.h"
#include "cirein/pattern.h"

#include "runtime/file.h"
#include "runtime/file_descriptor.h"

namespace cirein::backing {

/// A name, any bytes, as the name of a file: percent-encoded; of one that is too long the
/// beginning,
/// '=' and 128 bits of hash. Two names have two file names (but for the hash). At most 180 bytes of
/// letters, digits and "-._~%=".
std::string FileNameOf(std::string_view name);
/// The same of row and column, which a '+' parts.
std::string FileNameOf(const Key& key);

/// Files of rows below a directory, ROOT/BUCKET/SHARD/FILE: each row has one of 256 shards, "00" to
/// "ff". Files are written beside their place and renamed into it.
///
/// Thread-safe; calls block. Errors as in runtime/file.h.
class ShardedDirectory {
 public:
  /// All files end with `ending`, which is static text. Errors as TakeDirectory.
  static Result<std::unique_ptr<ShardedDirectory>> Open(const std::string& root, FileKept kept,
                                                        std::string_view ending);

  std::string ShardPath(Bucket bucket, std::string_view row) const;
  /// `name` is a FileNameOf something.
  std::string PathOf(Bucket bucket, std::string_view row, const std::string& name) const;
  Status Write(Bucket bucket, std::string_view row, const std::string& name,
               std::span<const std::span<const std::byte>> parts);
  Status Remove(Bucket bucket, std::string_view row, const std::string& name) const;

  /// The paths of the shards that may have rows of this pattern, in order, from that of the row
  /// `from` on.
  Result<std::vector<std::string>> Shards(const Pattern& pattern,
                                          const std::optional<std::string>& from) const;
  /// The files there whose names may be of rows of this pattern, with their endings, in order.
  Result<std::vector<std::string>> FilesIn(const std::string& shard, const Pattern& pattern) const;

 private:
  ShardedDirectory(std::string root, FileDescriptor held, FileKept kept, std::string_view ending)
      : root_(std::move(root)), held_(std::move(held)), kept_(kept), ending_(ending) {}

  std::string BucketPath(Bucket bucket) const { return root_ + "/" + bucket.ToString(); }
  /// The shard is there, and free of what died in it.
  Status Prepare(Bucket bucket, std::string_view row);

  const std::string root_;
  const FileDescriptor held_;
  const FileKept kept_;
  const std::string_view ending_;
  std::mutex mutex_;
  std::set<std::string> prepared_;  ///< Paths of shards. Guarded by mutex_.
};

}  // namespace cirein::backing
