// SPDX-License-Identifier: Apache-2.0
#include "backing/sharded_directory.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "backing/durability.h"
#include "base/hash.h"
#include "base/text.h"

namespace cirein::backing {
namespace {

// File systems take 255 bytes, and what is written stands beside it under a longer name first.
constexpr std::size_t kMaxNameBytes = 180;
constexpr std::size_t kHashBytes = 33;
// Behind the ending of what is being written, or was when its process was killed.
constexpr std::string_view kUnfinished = ".tmp-";

std::string Shortened(std::string name) {
  if (name.size() <= kMaxNameBytes) return name;
  const std::string hash = fmt::format("={:016x}{:016x}", Hash64(name, 1), Hash64(name, 2));
  name.resize(kMaxNameBytes - kHashBytes);
  return name + hash;
}

std::string ShardOf(std::string_view row) { return fmt::format("{:02x}", Hash64(row) >> 56); }

// Does the file name of what begins with `prefix` begin so? May say yes where it does not.
bool MayBeginWith(std::string_view file_name, std::string_view prefix) {
  const std::string encoded = PercentEncode(prefix);
  const std::size_t whole = std::min(file_name.find('='), file_name.size());
  const std::size_t compared = std::min(encoded.size(), whole);
  return file_name.substr(0, compared) == std::string_view(encoded).substr(0, compared);
}

}  // namespace

std::string FileNameOf(std::string_view name) { return Shortened(PercentEncode(name)); }

std::string FileNameOf(const Key& key) {
  std::string name = PercentEncode(key.row());
  if (key.has_column()) name += "+" + PercentEncode(key.column());
  return Shortened(std::move(name));
}

Result<std::unique_ptr<ShardedDirectory>> ShardedDirectory::Open(const std::string& root,
                                                                 FileKept kept,
                                                                 std::string_view ending) {
  CIREIN_ASSIGN_OR_RETURN(FileDescriptor held, TakeDirectory(root));
  return std::unique_ptr<ShardedDirectory>(
      new ShardedDirectory(root, std::move(held), kept, ending));
}

std::string ShardedDirectory::ShardPath(Bucket bucket, std::string_view row) const {
  return BucketPath(bucket) + "/" + ShardOf(row);
}

std::string ShardedDirectory::PathOf(Bucket bucket, std::string_view row,
                                     const std::string& name) const {
  return fmt::format("{}/{}{}", ShardPath(bucket, row), name, ending_);
}

Status ShardedDirectory::Write(Bucket bucket, std::string_view row, const std::string& name,
                               std::span<const std::span<const std::byte>> parts) {
  CIREIN_RETURN_IF_ERROR(Prepare(bucket, row));
  return WriteFileAtomically(PathOf(bucket, row, name), parts, kept_);
}

Status ShardedDirectory::Remove(Bucket bucket, std::string_view row,
                                const std::string& name) const {
  CIREIN_RETURN_IF_ERROR(RemoveFile(PathOf(bucket, row, name)));
  return kept_ == FileKept::kOnMedium ? SyncDirectory(ShardPath(bucket, row)) : OkStatus();
}

Status ShardedDirectory::Prepare(Bucket bucket, std::string_view row) {
  const std::string shard = ShardPath(bucket, row);
  const std::lock_guard lock(mutex_);
  if (prepared_.contains(shard)) return OkStatus();
  CIREIN_RETURN_IF_ERROR(MakeDirectories(shard));
  if (kept_ == FileKept::kOnMedium) {
    CIREIN_RETURN_IF_ERROR(SyncDirectory(BucketPath(bucket)));
    CIREIN_RETURN_IF_ERROR(SyncDirectory(root_));
  }
  CIREIN_ASSIGN_OR_RETURN(const auto entries, ListDirectory(shard));
  const std::string unfinished = fmt::format("{}{}", ending_, kUnfinished);
  for (const DirectoryEntry& entry : entries) {
    if (entry.name.ends_with(ending_) || entry.name.find(unfinished) == std::string::npos) continue;
    CIREIN_RETURN_IF_ERROR(RemoveIfLeftBehind(shard + "/" + entry.name));
  }
  prepared_.insert(shard);
  return OkStatus();
}

Result<std::vector<std::string>> ShardedDirectory::Shards(
    const Pattern& pattern, const std::optional<std::string>& from) const {
  std::vector<std::string> shards;
  if (!pattern.row_is_prefix()) {
    shards.push_back(ShardPath(pattern.bucket(), pattern.row()));
    return shards;
  }
  const std::string bucket = BucketPath(pattern.bucket());
  const auto entries = ListDirectory(bucket);
  if (entries.code() == StatusCode::kNotFound) return shards;
  CIREIN_RETURN_IF_ERROR(entries.status());
  const std::string first = from ? ShardOf(*from) : "";
  for (const DirectoryEntry& entry : *entries) {
    if (entry.kind != DirectoryEntry::Kind::kDirectory || entry.name < first) continue;
    shards.push_back(bucket + "/" + entry.name);
  }
  return shards;
}

Result<std::vector<std::string>> ShardedDirectory::FilesIn(const std::string& shard,
                                                           const Pattern& pattern) const {
  std::vector<std::string> files;
  const auto entries = ListDirectory(shard);
  if (entries.code() == StatusCode::kNotFound) return files;
  CIREIN_RETURN_IF_ERROR(entries.status());
  for (const DirectoryEntry& entry : *entries) {
    if (!entry.name.ends_with(ending_) || !MayBeginWith(entry.name, pattern.row())) continue;
    files.push_back(entry.name);
  }
  return files;
}

}  // namespace cirein::backing
