// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "fabric/transport.h"

namespace cirein::fabric {

/// The memory that one process has registered, who was granted what of it, and what one-sided
/// operations do to it, each checked against its grant: for fabrics whose checks are ours to do.
/// Not thread-safe.
class GrantTable {
 public:
  using MemoryId = Transport::MemoryId;

  /// `keys` is where the grants' keys come from: numbers that nobody can foresee.
  GrantTable(std::function<std::uint64_t()> keys, std::uint64_t grants_max)
      : keys_(std::move(keys)), grants_max_(grants_max) {}

  /// As Transport says.
  Result<MemoryId> Register(std::shared_ptr<Region> region);
  Result<MemoryId> Register(std::span<std::byte> memory, std::shared_ptr<void> keeps);
  Status Unregister(MemoryId memory);
  /// What was registered, and the grants that went with it.
  struct Removed {
    std::vector<std::uint64_t> grants;
    std::shared_ptr<Region> region;
    std::shared_ptr<void> keeps;
  };
  /// As Unregister, but leaves it to the caller to let go of it.
  Result<Removed> Remove(MemoryId memory);
  Result<Grant> Make(MemoryId memory, ByteRange range, Access access);
  Status Revoke(const Grant& grant);
  /// Takes everything back.
  void Clear();
  /// Memories that are registered and grants that are valid, together.
  std::size_t size() const noexcept { return memories_.size() + grants_.size(); }

  /// May all of the range be accessed so, by who holds `grant`? As an operation on it would say.
  Status Check(const Grant& grant, ByteRange range, Access asked) const;
  /// The operations, for one who holds `grant`. Only its id and key are believed.
  Status Read(const Grant& grant, std::uint64_t offset, std::span<std::byte> into) const;
  /// What Read would copy, where it is: valid until the table is changed.
  Result<std::span<const std::byte>> View(const Grant& grant, ByteRange range) const;
  Status Write(const Grant& grant, std::uint64_t offset, std::span<const std::byte> bytes);
  Result<std::uint64_t> CompareAndSwap(const Grant& grant, std::uint64_t offset, WordSwap swap);
  Result<std::uint64_t> FetchAdd(const Grant& grant, std::uint64_t offset, std::uint64_t add);
  Status Persist(const Grant& grant, ByteRange range);

  /// What could be lent to who holds a grant.
  struct Whole {
    std::shared_ptr<Region> region;
    Access access;
  };
  /// Nothing unless the grant is valid, and of all of a region. Only its id and key are believed.
  std::optional<Whole> WholeRegion(const Grant& grant) const;

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

  const std::function<std::uint64_t()> keys_;
  const std::uint64_t grants_max_;
  std::uint64_t last_id_ = 0;
  std::map<MemoryId, Memory> memories_;
  std::map<std::uint64_t, Granted> grants_;
};

}  // namespace cirein::fabric
