// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "region/mapping.h"
#include "region/region.h"
#include "runtime/file_descriptor.h"

namespace cirein {

/// A file of tmpfs or DAX: stores go straight to it, and a persist is what the medium needs of one.
class MappedRegion final : public Region {
 public:
  enum class Flush : std::uint8_t {
    kNone,        ///< The medium keeps nothing over a power cut, so there is nothing to wait for.
    kCacheLines,  ///< As if it were persistent memory.
    kLibrary,     ///< As libpmem2 says.
  };
  /// `file` may be closed already.
  MappedRegion(std::string name, std::uint64_t bytes, FileDescriptor file, PmemMapping mapping,
               Flush flush, RegionSpace::Access access);

  Status Write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  Status Persist(std::uint64_t offset, std::uint64_t bytes, PersistSite site) override;
  int descriptor() const noexcept override { return file_.get(); }

 private:
  const FileDescriptor file_;
  const PmemMapping mapping_;
  const Flush flush_;
  const PmemMapping::PersistRange persist_;
};

}  // namespace cirein
