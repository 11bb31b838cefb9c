// SPDX-License-Identifier: Apache-2.0
#include "object/backed_image.h"

#include <cstring>
#include <new>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"

namespace cirein {
namespace {

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

std::uint64_t HeadChecksum(const BackedHead& head, std::string_view row, std::string_view column) {
  Checksummer sum;
  sum.Update({reinterpret_cast<const std::byte*>(&head), offsetof(BackedHead, head_checksum)});
  sum.Update(BytesOf(row));
  sum.Update(BytesOf(column));
  return sum.Digest();
}

std::uint64_t BodyChecksum(const DataObject& object) {
  Checksummer sum;
  sum.Update(object.meta());
  sum.Update(object.data());
  return sum.Digest();
}

Status Damaged(std::string_view where, std::string_view what) {
  return DataLoss(fmt::format("{}: the stored object is damaged: {}", where, what),
                  "drop it, or restore its file from a copy");
}

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Head and name of an image, checked.
struct Opened {
  BackedHead head;
  std::string_view name;
};

Result<Opened> Open(std::string_view image, std::string_view where) {
  Opened opened;
  if (image.size() < sizeof(BackedHead)) {
    return Damaged(where, fmt::format("of {} bytes", image.size()));
  }
  std::memcpy(&opened.head, image.data(), sizeof(BackedHead));
  opened.name = image.substr(sizeof(BackedHead), opened.head.name_bytes());
  CIREIN_RETURN_IF_ERROR(CheckBackedHead(opened.head, opened.name, where));
  return opened;
}

Result<Opened> Open(const Key& key, std::string_view image) {
  const std::string where = key.ToString();
  CIREIN_ASSIGN_OR_RETURN(const Opened opened, Open(image, where));
  if (BackedKey(opened.head, opened.name) != key) return Damaged(where, "it has another name");
  return opened;
}

}  // namespace

BackedHead MakeBackedHead(const BackedItem& item) noexcept {
  const Key& key = item.key;
  const DataObject& object = item.value.object;
  BackedHead head{};
  head.magic = BackedHead::kMagic;
  head.format = BackedHead::kFormat;
  head.type = object.type();
  head.meta_bytes = static_cast<std::uint32_t>(object.meta_bytes());
  head.bucket = key.bucket().id();
  head.row_bytes = static_cast<std::uint16_t>(key.row().size());
  head.column_bytes = static_cast<std::uint16_t>(key.column().size());
  head.has_column = key.has_column() ? 1 : 0;
  head.data_bytes = object.data_bytes();
  head.epoch = item.value.version.epoch;
  head.counter = item.value.version.counter;
  head.expiry_ms = item.value.expiry_ms;
  head.body_checksum = BodyChecksum(object);
  head.head_checksum = HeadChecksum(head, key.row(), key.column());
  return head;
}

Status CheckBackedHead(const BackedHead& head, std::string_view name, std::string_view where) {
  if (head.magic != BackedHead::kMagic) return Damaged(where, "it does not begin as one");
  if (head.format != BackedHead::kFormat) {
    return DataLoss(fmt::format("{}: the stored object has format {}", where, head.format),
                    "it was written by a later version: use that one");
  }
  if (name.size() != head.name_bytes() || head.has_column > 1 || head.row_bytes == 0 ||
      head.meta_bytes > DataObject::kMaxMetaBytes || head.data_bytes > DataObject::kMaxDataBytes) {
    return Damaged(where, "its sizes cannot be");
  }
  const std::string_view row = name.substr(0, head.row_bytes);
  if (HeadChecksum(head, row, name.substr(head.row_bytes)) != head.head_checksum) {
    return Damaged(where, "the checksum of its head differs");
  }
  return OkStatus();
}

Status CheckBackedBody(const BackedHead& head, const DataObject& object, std::string_view where) {
  if (BodyChecksum(object) == head.body_checksum) return OkStatus();
  return Damaged(where, "the checksum of its bytes differs");
}

Key BackedKey(const BackedHead& head, std::string_view name) {
  std::string row(name.substr(0, head.row_bytes));
  Key key = head.has_column != 0 ? Key(std::move(row), std::string(name.substr(head.row_bytes)))
                                 : Key(std::move(row));
  return key.set_bucket(Bucket(head.bucket));
}

BackedFacts FactsOf(const BackedHead& head) {
  return {.meta_bytes = head.meta_bytes,
          .data_bytes = head.data_bytes,
          .version = {head.epoch, head.counter},
          .expiry_ms = head.expiry_ms};
}

BackedObject BackedOf(const BackedHead& head, DataObject object) {
  return {std::move(object), {head.epoch, head.counter}, head.expiry_ms};
}

Result<std::string> PackBacked(const BackedItem& item) {
  const BackedHead head = MakeBackedHead(item);
  std::string image;
  try {
    image.reserve(head.image_bytes());
  } catch (const std::exception&) {
    return ResourceExhausted(fmt::format("no memory for the {} bytes of \"{}\"", head.image_bytes(),
                                         item.key.ToString()));
  }
  image.append(reinterpret_cast<const char*>(&head), sizeof(head));
  image.append(item.key.row()).append(item.key.column());
  image.append(TextOf(item.value.object.meta())).append(TextOf(item.value.object.data()));
  return image;
}

Result<BackedObject> UnpackBacked(const Key& key, std::string_view image) {
  CIREIN_ASSIGN_OR_RETURN(const Opened opened, Open(key, image));
  const BackedHead& head = opened.head;
  if (image.size() != head.image_bytes()) {
    return Damaged(key.ToString(),
                   fmt::format("of its {} bytes there are {}", head.image_bytes(), image.size()));
  }
  const std::string_view body = image.substr(sizeof(head) + head.name_bytes());
  CIREIN_ASSIGN_OR_RETURN(DataObject object,
                          DataObject::FromString(body.substr(head.meta_bytes),
                                                 body.substr(0, head.meta_bytes), head.type));
  CIREIN_RETURN_IF_ERROR(CheckBackedBody(head, object, key.ToString()));
  return BackedOf(head, std::move(object));
}

Result<BackedFacts> UnpackBackedFacts(const Key& key, std::string_view image) {
  CIREIN_ASSIGN_OR_RETURN(const Opened opened, Open(key, image));
  return FactsOf(opened.head);
}

Result<Key> UnpackBackedKey(std::string_view image) {
  CIREIN_ASSIGN_OR_RETURN(const Opened opened, Open(image, "an image"));
  return BackedKey(opened.head, opened.name);
}

}  // namespace cirein
