// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "cirein/status.h"

#include "region/region.h"

struct pmem2_map;

namespace cirein {

/// A file mapped whole, shared with all who map or write it. Move-only; the file may be closed.
class FileMapping {
 public:
  /// `path` is for messages. An empty file is an empty mapping. IoError.
  static Result<FileMapping> Map(int fd, std::uint64_t bytes, RegionSpace::Access access,
                                 const std::string& path);
  FileMapping(FileMapping&& other) noexcept
      : begin_(std::exchange(other.begin_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  FileMapping& operator=(FileMapping&&) = delete;
  ~FileMapping();

  /// At a page, also when it is empty.
  std::byte* begin() const noexcept;
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  FileMapping(std::byte* begin, std::uint64_t bytes) : begin_(begin), bytes_(bytes) {}

  std::byte* begin_;
  std::uint64_t bytes_;
};

/// The same through libpmem2, which knows how to persist stores to it. Move-only.
class PmemMapping {
 public:
  static Result<PmemMapping> Map(int fd, std::uint64_t bytes, RegionSpace::Access access,
                                 const std::string& path);
  PmemMapping(PmemMapping&& other) noexcept : map_(std::exchange(other.map_, nullptr)) {}
  PmemMapping& operator=(PmemMapping&&) = delete;
  ~PmemMapping();

  std::byte* begin() const noexcept;
  /// What a store needs to be persistent: 8 bytes (nothing), 64 (flushes), 4096 (msync).
  std::uint32_t granularity() const noexcept;

  using PersistRange = void (*)(const void* begin, std::size_t bytes);
  PersistRange persist() const noexcept;

 private:
  explicit PmemMapping(pmem2_map* map) : map_(map) {}

  pmem2_map* map_;  // Null for an empty file.
};

}  // namespace cirein
