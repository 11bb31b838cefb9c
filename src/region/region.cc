// SPDX-License-Identifier: Apache-2.0
#include "region/region.h"

#include <cstring>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {

const char* PersistSiteName(PersistSite site) {
  // No default: the compiler says so when a site has no name.
  switch (site) {
    case PersistSite::kFormat:
      return "format";
    case PersistSite::kSuperblock:
      return "superblock";
    case PersistSite::kSegmentRecord:
      return "segment-record";
    case PersistSite::kSegmentHeader:
      return "segment-header";
    case PersistSite::kSlotRoots:
      return "slot-roots";
    case PersistSite::kBatch:
      return "batch";
    case PersistSite::kMark:
      return "mark";
    case PersistSite::kSync:
      return "sync";
    case PersistSite::kExtent:
      return "extent";
    case PersistSite::kExtentName:
      return "extent-name";
    case PersistSite::kIndexBody:
      return "index-body";
    case PersistSite::kIndexLinks:
      return "index-links";
    case PersistSite::kMergedMark:
      return "merged-mark";
    case PersistSite::kIndexClose:
      return "index-close";
    case PersistSite::kFound:
      return "found";
    case PersistSite::kRemote:
      return "remote";
  }
  return "unknown";
}

void Region::Clear(std::uint64_t offset, std::uint64_t bytes) noexcept {
  if (bytes == 0) return;
  std::memset(stores_ + offset, 0, bytes);
  if (watcher_ != nullptr) [[unlikely]]
    watcher_->Stored(offset, bytes);
}

Status Region::CheckRange(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset <= size_ && bytes <= size_ - offset) [[likely]]
    return OkStatus();
  return InvalidArgument(fmt::format("{} bytes at {} do not fit into region '{}' of {} bytes",
                                     bytes, offset, EscapeForPeople(name_, 255), size_),
                         "the pool's layout and the length of its file disagree: verify the pool");
}

}  // namespace cirein
