// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>

#include "base/random.h"
#include "fabric/transport.h"

namespace cirein::fabric {

/// The memory that one process has registered, who was granted what of it, and what one-sided
/// operations do to it, each checked against its grant: for fabrics whose checks are ours to do.
/// Not thread-safe.
class GrantTable {
 public:
  using MemoryId = Transport::MemoryId;

  /// `keys` is where the grants' keys come from.
  GrantTable(Random keys, std::uint64_t grants_max) : keys_(keys), grants_max_(grants_max) {}

  /// As Transport says.
  Result<MemoryId> Register(std::shared_ptr<Region> region);
  Result<MemoryId> Register(std::span<std::byte> memory, std::shared_ptr<void> keeps);
  Status Unregister(MemoryId memory);
  Result<Grant> Make(MemoryId memory, ByteRange range, Access access);
  Status Revoke(const Grant& grant);
  /// Takes everything back.
  void Clear();

  /// The operations, for one who holds `grant`. Only its id and key are believed.
  Status Read(const Grant& grant, std::uint64_t offset, std::span<std::byte> into) const;
  Status Write(const Grant& grant, std::uint64_t offset, std::span<const std::byte> bytes);
  Result<std::uint64_t> CompareAndSwap(const Grant& grant, std::uint64_t offset, WordSwap swap);
  Result<std::uint64_t> FetchAdd(const Grant& grant, std::uint64_t offset, std::uint64_t add);
  Status Persist(const Grant& grant, ByteRange range);

 private:
  struct Memory {
    std::shared_ptr<Region> region;  // Null: plain memory.
    std::span<std::byte> bytes;
    std::shared_ptr<void> keeps;
    std::uint64_t size() const { return region != nullptr ? region->size() : bytes.size(); }
  };
  struct Granted {
    MemoryId memory;
    std::uint64_t key;
    ByteRange range;
    Access access;
  };
  /// Where in which memory an operation is that may take place.
  struct Place {
    const Memory* memory;
    std::uint64_t offset;
  };

  Result<MemoryId> Add(Memory memory);
  Result<Place> Find(const Grant& grant, ByteRange range, Access asked) const;
  Result<Place> FindWord(const Grant& grant, std::uint64_t offset) const;

  Random keys_;
  const std::uint64_t grants_max_;
  std::uint64_t last_id_ = 0;
  std::map<MemoryId, Memory> memories_;
  std::map<std::uint64_t, Granted> grants_;
};

}  // namespace cirein::fabric
