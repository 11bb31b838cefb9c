// SPDX-License-Identifier: Apache-2.0
#include "memory/object_image.h"

#include <cstring>
#include <span>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "runtime/file.h"
#include "runtime/input_file.h"

namespace cirein {
namespace {

std::uint64_t ImageChecksum(const ImageHeader& header, const DataObject& object) noexcept {
  Checksummer checksum;
  const auto fields = std::as_bytes(std::span(&header, 1));
  checksum.Update(fields.first(offsetof(ImageHeader, checksum)));
  checksum.Update(object.meta());
  checksum.Update(object.data());
  return checksum.Digest();
}

Status Damaged(std::string_view path, std::string_view what) {
  return DataLoss(fmt::format("{} is no good object image: {}", QuoteForPeople(path, 1024), what),
                  "restore the file from a copy, or write it anew with WriteImage");
}

Result<ImageHeader> ReadHeader(const std::string& path, const InputFile& file) {
  if (file.bytes() < sizeof(ImageHeader)) {
    return Damaged(path, fmt::format("it has {} bytes, and the header alone {}", file.bytes(),
                                     sizeof(ImageHeader)));
  }
  ImageHeader header;
  CIREIN_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(&header, 1))));
  CIREIN_RETURN_IF_ERROR(CheckImageHeader(header, file.bytes(), path));
  return header;
}

}  // namespace

ImageHeader MakeImageHeader(const DataObject& object) noexcept {
  ImageHeader header{.magic = ImageHeader::kMagic,
                     .version = ImageHeader::kVersion,
                     .type = object.type(),
                     .meta_bytes = static_cast<std::uint32_t>(object.meta_bytes()),
                     .flags = 0,
                     .data_bytes = object.data_bytes(),
                     .checksum = 0};
  header.checksum = ImageChecksum(header, object);
  return header;
}

Status CheckImageHeader(const ImageHeader& header, std::uint64_t file_bytes,
                        std::string_view path) {
  if (header.magic != ImageHeader::kMagic) return Damaged(path, "it does not begin with \"CIRO\"");
  if (header.version != ImageHeader::kVersion) {
    return Damaged(path, fmt::format("its format version is {}, and this program knows only {}",
                                     header.version, ImageHeader::kVersion));
  }
  if (header.flags != 0) return Damaged(path, fmt::format("unknown flags {:#x}", header.flags));
  if (header.meta_bytes > DataObject::kMaxMetaBytes) {
    return Damaged(path, fmt::format("it claims {} bytes of meta", header.meta_bytes));
  }
  if (header.data_bytes > DataObject::kMaxDataBytes) {
    return Damaged(path, fmt::format("it claims {} bytes of data", header.data_bytes));
  }
  const std::uint64_t image_bytes = sizeof(header) + header.meta_bytes + header.data_bytes;
  if (image_bytes != file_bytes) {
    return Damaged(
        path, fmt::format("it has {} bytes, and its header announces {}", file_bytes, image_bytes));
  }
  return OkStatus();
}

Status DataObject::WriteImage(const std::string& path) const {
  const ImageHeader header = MakeImageHeader(*this);
  const std::array<std::span<const std::byte>, 3> parts = {std::as_bytes(std::span(&header, 1)),
                                                           meta(), data()};
  return WriteFileAtomically(path, parts);
}

Result<DataObject> DataObject::ReadImage(const std::string& path, Arena* arena) {
  // One open file throughout: WriteImage may put another in its place meanwhile.
  CIREIN_ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
  CIREIN_ASSIGN_OR_RETURN(const ImageHeader header, ReadHeader(path, file));
  CIREIN_ASSIGN_OR_RETURN(DataObject object, Allocate({.meta_bytes = header.meta_bytes,
                                                       .data_bytes = header.data_bytes,
                                                       .type = header.type},
                                                      arena));
  // Straight into the object, so that a large one is never in memory twice.
  CIREIN_RETURN_IF_ERROR(file.ReadAt(sizeof(header), object.mutable_meta()));
  CIREIN_RETURN_IF_ERROR(file.ReadAt(sizeof(header) + header.meta_bytes, object.mutable_data()));
  if (ImageChecksum(header, object) != header.checksum) {
    return Damaged(path, "its bytes do not match their checksum");
  }
  return object;
}

}  // namespace cirein
