// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cirein::internal {

/// What stands before the bytes of every body; not for users. It is public only so that copying and
/// dropping a DataObject, and looking at its bytes, can be inlined.
///
/// A body is one block of an arena: header, extension (the release function of wrapped memory or
/// the owner of a view; nothing for owned memory), meta, and for owned memory a gap up to a
/// multiple of 16 bytes and the data.
struct ObjectHeader {
  /// How many handles there are. Copying needs no order, since the copier's handle keeps the body;
  /// the last drop must see what the others did, so drops release and the last one acquires.
  std::atomic<std::uint32_t> references;
  std::uint16_t type;
  std::uint8_t kind;          ///< A DataObject::Kind.
  std::uint8_t registration;  ///< A DataObject::Registration.
  std::uint32_t meta_bytes;
  std::uint8_t meta_offset;  ///< From the header's begin to the meta's.
  std::uint8_t size_class;   ///< Of the block, so that freeing it need not look it up.
  std::uint16_t reserved;
  std::uint64_t data_bytes;
  std::byte* data;

  std::byte* meta() noexcept { return reinterpret_cast<std::byte*>(this) + meta_offset; }
};
static_assert(sizeof(ObjectHeader) == 32 && alignof(ObjectHeader) == 8);

/// Ends a body to which no handle is left: calls its release function or lets its owner go, then
/// frees the block.
void DestroyObject(ObjectHeader* header) noexcept;

inline void AddReference(ObjectHeader* header) noexcept {
  header->references.fetch_add(1, std::memory_order_relaxed);
}

inline void DropReference(ObjectHeader* header) noexcept {
  // A sole handle cannot be copied behind our back (that would need another handle), so a count of
  // one needs no read-modify-write.
  if (header->references.load(std::memory_order_acquire) == 1 ||
      header->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    DestroyObject(header);
  }
}

}  // namespace cirein::internal
