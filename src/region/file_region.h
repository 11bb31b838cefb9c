// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "region/mapping.h"
#include "region/region.h"
#include "region/shared_sync.h"
#include "runtime/file_descriptor.h"

namespace cirein {

/// A file of an ordinary file system. kWords: a mapping that is stored to and synced as a whole.
/// Else it is written with pwrite and only read through its mapping: a store to a mapping makes the
/// system write far more than was stored.
class FileRegion final : public Region {
 public:
  /// How a file of this use is to be mapped.
  static RegionSpace::Access MappingFor(RegionUse use, RegionSpace::Access access);

  /// `path` is for messages.
  FileRegion(std::string name, const std::string& path, FileDescriptor file, FileMapping mapping,
             RegionUse use, RegionSpace::Access access);

  Status Write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  Status Persist(std::uint64_t offset, std::uint64_t bytes, PersistSite site) override;
  int descriptor() const noexcept override { return file_.get(); }

 private:
  Status WriteToFile(std::uint64_t offset, std::span<const std::byte> bytes);
  Status Sync();

  const std::string path_;
  const FileDescriptor file_;
  const FileMapping mapping_;
  const RegionSpace::Access access_;
  SharedSync sync_;
};

}  // namespace cirein
