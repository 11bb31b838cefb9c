// SPDX-License-Identifier: Apache-2.0
#include "region/mapping.h"

#include <cerrno>
#include <libpmem2.h>

#include <fmt/format.h>
#include <sys/mman.h>

#include "base/text.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

// Where empty mappings begin.
alignas(4096) std::byte empty_page[1];

void PersistNothing(const void* /*begin*/, std::size_t /*bytes*/) {}

// libpmem2 makes these two for each mapping; they are needed only until it is made.
struct PmemRequest {
  ~PmemRequest() {
    if (config != nullptr) pmem2_config_delete(&config);
    if (source != nullptr) pmem2_source_delete(&source);
  }
  pmem2_config* config = nullptr;
  pmem2_source* source = nullptr;
};

Status PmemError(const std::string& path, int error) {
  // Negative errno values, and beyond them the library's own.
  if (error < 0 && error > PMEM2_E_UNKNOWN) return FileError("map", path, -error);
  return IoError(fmt::format("cannot map '{}': {}", EscapeForPeople(path, 4096), pmem2_errormsg()),
                 "choose a directory on tmpfs, DAX or an ordinary file system");
}

}  // namespace

Result<FileMapping> FileMapping::Map(int fd, std::uint64_t bytes, RegionSpace::Access access,
                                     const std::string& path) {
  if (bytes == 0) return FileMapping(nullptr, 0);
  const int protection = PROT_READ | (access == RegionSpace::Access::kReadWrite ? PROT_WRITE : 0);
  void* const begin = mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
  if (begin == MAP_FAILED) return FileError("map", path, errno);  // NOLINT: the system's cast
  return FileMapping(static_cast<std::byte*>(begin), bytes);
}

FileMapping::~FileMapping() {
  if (begin_ != nullptr) munmap(begin_, bytes_);
}

std::byte* FileMapping::begin() const noexcept { return begin_ != nullptr ? begin_ : empty_page; }

Result<PmemMapping> PmemMapping::Map(int fd, std::uint64_t bytes, RegionSpace::Access access,
                                     const std::string& path) {
  if (bytes == 0) return PmemMapping(nullptr);
  PmemRequest request;
  const unsigned int protection =
      PMEM2_PROT_READ | (access == RegionSpace::Access::kReadWrite ? PMEM2_PROT_WRITE : 0U);
  pmem2_map* map = nullptr;
  int error = pmem2_config_new(&request.config);
  if (error == 0) error = pmem2_source_from_fd(&request.source, fd);
  if (error == 0) error = pmem2_config_set_protection(request.config, protection);
  if (error == 0) {
    error = pmem2_config_set_required_store_granularity(request.config, PMEM2_GRANULARITY_PAGE);
  }
  if (error == 0) error = pmem2_map_new(&map, request.config, request.source);
  if (error != 0) return PmemError(path, error);
  PmemMapping mapping(map);
  // It maps the whole file and takes no length that is no multiple of a page.
  if (pmem2_map_get_size(map) != bytes) {
    return IoError(fmt::format("'{}' has changed its size while it was being opened",
                               EscapeForPeople(path, 4096)),
                   "leave the file to one process, then try again");
  }
  return mapping;
}

PmemMapping::~PmemMapping() {
  if (map_ != nullptr) pmem2_map_delete(&map_);
}

std::byte* PmemMapping::begin() const noexcept {
  return map_ != nullptr ? static_cast<std::byte*>(pmem2_map_get_address(map_)) : empty_page;
}

std::uint32_t PmemMapping::granularity() const noexcept {
  if (map_ == nullptr) return 8;
  switch (pmem2_map_get_store_granularity(map_)) {
    case PMEM2_GRANULARITY_BYTE:
      return 8;
    case PMEM2_GRANULARITY_CACHE_LINE:
      return 64;
    case PMEM2_GRANULARITY_PAGE:
      break;
  }
  return 4096;
}

PmemMapping::PersistRange PmemMapping::persist() const noexcept {
  return map_ != nullptr ? pmem2_get_persist_fn(map_) : PersistNothing;
}

}  // namespace cirein
