// SPDX-License-Identifier: Apache-2.0
#include "region/medium.h"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/text.h"
#include "region/cache_flush.h"
#include "runtime/file_descriptor.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

constexpr std::uint64_t kProbeBytes = 4096;
constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kSector = 512;

std::string FileSystemName(std::uint64_t type) {
  struct Known {
    std::uint64_t type;
    const char* name;
  };
  constexpr Known kKnown[] = {
      {TMPFS_MAGIC, "tmpfs"},
      {RAMFS_MAGIC, "ramfs"},
      {EXT4_SUPER_MAGIC, "ext4"},
      {XFS_SUPER_MAGIC, "xfs"},
      {BTRFS_SUPER_MAGIC, "btrfs"},
      {F2FS_SUPER_MAGIC, "f2fs"},
      {OVERLAYFS_SUPER_MAGIC, "overlay"},
      {NFS_SUPER_MAGIC, "nfs"},
      {FUSE_SUPER_MAGIC, "fuse"},
      {V9FS_MAGIC, "9p"},
      {0x2FC12FC1, "zfs"},
  };
  for (const Known& known : kKnown) {
    if (known.type == type) return known.name;
  }
  return fmt::format("file system 0x{:x}", type);
}

// Does the system say that the file is mapped without a page cache? libpmem2 alone can be told to
// say so by the user's environment, of any disk.
bool IsDax(int file) {
  struct statx facts {};
  if (statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &facts) != 0) return false;
  return (facts.stx_attributes & STATX_ATTR_DAX) != 0;
}

struct Probed {
  std::uint32_t granularity = kPage;
  bool dax = false;
};

// Nullopt where no file without a name can be made, on a read-only file system for one.
std::optional<Probed> Probe(int directory, const std::string& path) {
  const FileDescriptor file(openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.is_open() || ftruncate(file.get(), kProbeBytes) != 0) return std::nullopt;
  const auto mapping =
      PmemMapping::Map(file.get(), kProbeBytes, RegionSpace::Access::kReadWrite, path);
  if (!mapping.ok()) return std::nullopt;
  return Probed{mapping->granularity(), IsDax(file.get())};
}

DirectoryMedium SyncedMedium(const std::string& file_system, bool in_memory) {
  DirectoryMedium medium;
  medium.traits.flushable = false;
  medium.traits.survives_power_cut = !in_memory;
  medium.traits.granularity = kSector;
  medium.traits.description = file_system + ", fdatasync";
  return medium;
}

DirectoryMedium MappedMedium(MappedRegion::Flush flush, std::uint32_t granularity) {
  DirectoryMedium medium;
  medium.mapped = true;
  medium.flush = flush;
  medium.traits.flushable = true;
  medium.traits.granularity = granularity;
  return medium;
}

DirectoryMedium InMemoryMedium(const std::string& file_system, FlushMode mode,
                               std::uint32_t granularity) {
  DirectoryMedium medium;
  if (mode == FlushMode::kCacheLine) {
    medium = MappedMedium(MappedRegion::Flush::kCacheLines, kCacheLineBytes);
    medium.traits.description = file_system + ", cache-line flushes";
  } else if (granularity < kPage) {
    medium = MappedMedium(MappedRegion::Flush::kLibrary, granularity);
    medium.traits.description =
        fmt::format("{}, libpmem2 told to flush {} bytes", file_system, granularity);
  } else {
    medium = MappedMedium(MappedRegion::Flush::kNone, kPage);
    medium.traits.description = file_system + ", nothing to flush";
  }
  medium.traits.survives_power_cut = false;
  medium.names_persist = false;
  return medium;
}

}  // namespace

Result<DirectoryMedium> ProbeMedium(int directory, const std::string& path, FlushMode mode) {
  struct statfs facts {};
  if (fstatfs(directory, &facts) != 0) return FileError("look at", path, errno);
  const auto type = static_cast<std::uint64_t>(facts.f_type);
  const std::string name = FileSystemName(type);
  const bool in_memory = type == TMPFS_MAGIC || type == RAMFS_MAGIC;
  if (mode == FlushMode::kFile) return SyncedMedium(name, in_memory);
  if (mode == FlushMode::kCacheLine && !CanFlushCacheLines()) {
    return InvalidArgument("this processor has no cache-line flushes that Cirein knows",
                           "leave the flush mode to be found out");
  }
  const std::optional<Probed> probed = Probe(directory, path);
  if (in_memory) return InMemoryMedium(name, mode, probed ? probed->granularity : kPage);
  if (probed && probed->dax && probed->granularity < kPage) {
    DirectoryMedium medium = MappedMedium(MappedRegion::Flush::kLibrary, probed->granularity);
    medium.traits.description =
        name + " on DAX, " +
        (probed->granularity == kCacheLineBytes ? "cache-line flushes" : "nothing to flush");
    return medium;
  }
  if (mode == FlushMode::kCacheLine) {
    return InvalidArgument(fmt::format("'{}' is on {}, where flushing cache lines keeps nothing",
                                       EscapeForPeople(path, 4096), name),
                           "choose a directory on tmpfs or DAX, or leave the flush mode alone");
  }
  return SyncedMedium(name, false);
}

}  // namespace cirein
