// SPDX-License-Identifier: Apache-2.0
#include "region/mapped_region.h"

#include <cstring>
#include <utility>

#include "region/cache_flush.h"
#include "region/region_name.h"

namespace cirein {

MappedRegion::MappedRegion(std::string name, std::uint64_t bytes, FileDescriptor file,
                           PmemMapping mapping, Flush flush, RegionSpace::Access access)
    : Region(std::move(name), bytes),
      file_(std::move(file)),
      mapping_(std::move(mapping)),
      flush_(flush),
      persist_(mapping_.persist()) {
  data_ = mapping_.begin();
  if (access == RegionSpace::Access::kReadWrite) stores_ = mapping_.begin();
}

Status MappedRegion::Write(std::uint64_t offset, std::span<const std::byte> bytes) {
  CIREIN_RETURN_IF_ERROR(CheckRange(offset, bytes.size()));
  if (stores_ == nullptr) return ReadOnlyRegion(name_);
  if (!bytes.empty()) std::memcpy(stores_ + offset, bytes.data(), bytes.size());
  return OkStatus();
}

Status MappedRegion::Persist(std::uint64_t offset, std::uint64_t bytes, PersistSite /*site*/) {
  CIREIN_RETURN_IF_ERROR(CheckRange(offset, bytes));
  if (bytes == 0) return OkStatus();
  if (flush_ == Flush::kCacheLines) FlushCacheLines(data_ + offset, bytes);
  if (flush_ == Flush::kLibrary) persist_(data_ + offset, bytes);
  return OkStatus();
}

}  // namespace cirein
