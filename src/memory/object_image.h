// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cirein/data_object.h"

namespace cirein {

/// The first bytes of an object's image in a file, before meta and data; docs/file-format.md.
struct ImageHeader {
  std::uint32_t magic;    ///< kMagic: the file begins "CIRO".
  std::uint16_t version;  ///< kVersion.
  std::uint16_t type;
  std::uint32_t meta_bytes;
  std::uint32_t flags;  ///< None is known: 0.
  std::uint64_t data_bytes;
  std::uint64_t checksum;  ///< XXH3-64 of the fields before it, meta and data.

  static constexpr std::uint32_t kMagic = 0x4F52'4943;
  static constexpr std::uint16_t kVersion = 1;
};
// The image is little-endian, and so is all hardware this builds for: then the struct is the image.
static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(ImageHeader) == DataObject::kImageHeaderBytes);
static_assert(offsetof(ImageHeader, version) == 4 && offsetof(ImageHeader, type) == 6 &&
              offsetof(ImageHeader, meta_bytes) == 8 && offsetof(ImageHeader, flags) == 12 &&
              offsetof(ImageHeader, data_bytes) == 16 && offsetof(ImageHeader, checksum) == 24);

/// The header for an object, checksum included, which reads all its bytes.
ImageHeader MakeImageHeader(const DataObject& object) noexcept;

/// Is this the header of an image that is `file_bytes` long? Believes nothing: DataLoss, naming
/// `path`, for a wrong magic, version, flag or size.
Status CheckImageHeader(const ImageHeader& header, std::uint64_t file_bytes, std::string_view path);

}  // namespace cirein
