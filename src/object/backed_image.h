// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cirein/backing_store.h"

namespace cirein {

/// The first bytes of an object's image in a store; row, column, meta and data follow.
/// docs/file-format.md.
struct BackedHead {
  std::uint32_t magic;   ///< kMagic: the image begins "CIRB".
  std::uint16_t format;  ///< kFormat.
  std::uint16_t type;
  std::uint32_t meta_bytes;
  std::uint32_t bucket;
  std::uint16_t row_bytes;
  std::uint16_t column_bytes;
  std::uint32_t has_column;  ///< 0 or 1.
  std::uint64_t data_bytes;
  std::uint64_t epoch;
  std::uint64_t counter;
  std::uint64_t expiry_ms;
  std::uint64_t body_checksum;  ///< XXH3-64 of meta and data.
  std::uint64_t head_checksum;  ///< XXH3-64 of the fields before it, row and column.

  static constexpr std::uint32_t kMagic = 0x4252'4943;
  static constexpr std::uint16_t kFormat = 1;

  std::size_t name_bytes() const noexcept { return std::size_t{row_bytes} + column_bytes; }
  std::uint64_t image_bytes() const noexcept {
    return sizeof(BackedHead) + name_bytes() + meta_bytes + data_bytes;
  }
};
// Little-endian, as all hardware this builds for: then the struct is the image.
static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(BackedHead) == kBackedHeadBytes);
static_assert(offsetof(BackedHead, type) == 6 && offsetof(BackedHead, meta_bytes) == 8 &&
              offsetof(BackedHead, bucket) == 12 && offsetof(BackedHead, row_bytes) == 16 &&
              offsetof(BackedHead, column_bytes) == 18 && offsetof(BackedHead, has_column) == 20 &&
              offsetof(BackedHead, data_bytes) == 24 && offsetof(BackedHead, epoch) == 32 &&
              offsetof(BackedHead, counter) == 40 && offsetof(BackedHead, expiry_ms) == 48 &&
              offsetof(BackedHead, body_checksum) == 56 &&
              offsetof(BackedHead, head_checksum) == 64);

/// Checksums included, which reads all bytes of the object.
BackedHead MakeBackedHead(const BackedItem& item) noexcept;

/// What these checks find wrong is DataLoss; `where` names file or key.
/// Is this a head, and are row and column (both in `name`) those it was made with?
Status CheckBackedHead(const BackedHead& head, std::string_view name, std::string_view where);
/// Are meta and data those it was made with?
Status CheckBackedBody(const BackedHead& head, const DataObject& object, std::string_view where);

/// Of a head that was checked.
Key BackedKey(const BackedHead& head, std::string_view name);
BackedFacts FactsOf(const BackedHead& head);
BackedObject BackedOf(const BackedHead& head, DataObject object);

}  // namespace cirein
