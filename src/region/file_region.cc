// SPDX-License-Identifier: Apache-2.0
#include "region/file_region.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>

#include "base/text.h"
#include "region/region_name.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

// The most that Linux moves in one call, a little rounded down.
constexpr std::size_t kMaxTransferBytes = std::size_t{1} << 30;

}  // namespace

RegionSpace::Access FileRegion::MappingFor(RegionUse use, RegionSpace::Access access) {
  return use == RegionUse::kWords ? access : RegionSpace::Access::kReadOnly;
}

FileRegion::FileRegion(std::string name, const std::string& path, FileDescriptor file,
                       FileMapping mapping, RegionUse use, RegionSpace::Access access)
    : Region(std::move(name), mapping.bytes()),
      path_(path),
      file_(std::move(file)),
      mapping_(std::move(mapping)),
      access_(access),
      sync_([this] { return Sync(); }) {
  data_ = mapping_.begin();
  if (MappingFor(use, access) == RegionSpace::Access::kReadWrite) stores_ = mapping_.begin();
}

Status FileRegion::Write(std::uint64_t offset, std::span<const std::byte> bytes) {
  CIREIN_RETURN_IF_ERROR(CheckRange(offset, bytes.size()));
  if (access_ == RegionSpace::Access::kReadOnly) return ReadOnlyRegion(name_);
  if (stores_ == nullptr) return WriteToFile(offset, bytes);
  if (!bytes.empty()) std::memcpy(stores_ + offset, bytes.data(), bytes.size());
  return OkStatus();
}

Status FileRegion::WriteToFile(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        pwrite(file_.get(), bytes.data(), std::min(bytes.size(), kMaxTransferBytes),
               static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == ENOSPC || errno == EDQUOT)) {
      return ResourceExhausted(fmt::format("cannot write {} bytes to '{}': {}", bytes.size(),
                                           EscapeForPeople(path_, 4096), SystemErrorText(errno)),
                               "free space on the file system (df -h), then open the pool again");
    }
    if (written < 0) return FileError("write", path_, errno);
    // Nothing written and no error: never of a regular file, but to go on would be for ever.
    if (written == 0) return FileError("write", path_, EIO);
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return OkStatus();
}

Status FileRegion::Persist(std::uint64_t offset, std::uint64_t bytes, PersistSite site) {
  CIREIN_RETURN_IF_ERROR(CheckRange(offset, bytes));
  return sync_.Wait().WithContext(PersistSiteName(site));
}

Status FileRegion::Sync() {
  // fdatasync alone covers what was stored to mappings on Linux, but is not bound to.
  if (stores_ != nullptr && size_ > 0 && msync(stores_, size_, MS_SYNC) != 0) {
    return FileError("sync", path_, errno);
  }
  int result = fdatasync(file_.get());
  while (result != 0 && errno == EINTR) result = fdatasync(file_.get());
  return result == 0 ? OkStatus() : FileError("sync", path_, errno);
}

}  // namespace cirein
