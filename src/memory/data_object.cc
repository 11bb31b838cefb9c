// SPDX-License-Identifier: Apache-2.0
#include "cirein/data_object.h"

#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "cirein/arena.h"

#include "base/logging.h"
#include "memory/object_header.h"

namespace cirein {
namespace {

using internal::ObjectHeader;
using internal::ViewHeader;
using internal::WrappedHeader;

constexpr std::size_t kDataAlignment = 16;

Status CheckSizes(std::uint64_t meta_bytes, std::uint64_t data_bytes) {
  if (meta_bytes > DataObject::kMaxMetaBytes) {
    return InvalidArgument(fmt::format("an object cannot have {} bytes of meta: at most {}",
                                       meta_bytes, DataObject::kMaxMetaBytes),
                           "move what is large into the data");
  }
  if (data_bytes > DataObject::kMaxDataBytes) {
    return InvalidArgument(fmt::format("an object cannot have {} bytes of data: at most {}",
                                       data_bytes, DataObject::kMaxDataBytes),
                           "split the data over several objects, for instance columns of a row");
  }
  return OkStatus();
}

// A block for a Header, the meta, and `inline_bytes` of data; the header is made, but for what the
// caller knows better: `data`.
template <typename Header>
Result<Header*> MakeHeader(DataObject::Kind kind, const DataObject::Layout& layout,
                           std::uint64_t inline_bytes, Arena::State* arena) {
  CIREIN_RETURN_IF_ERROR(CheckSizes(layout.meta_bytes, layout.data_bytes));
  Status error;
  const auto block = arena->Allocate(sizeof(Header) + layout.meta_bytes + inline_bytes, &error);
  if (block.memory == nullptr) return error;
  auto* const header = new (block.memory) Header;
  header->references.store(1, std::memory_order_relaxed);
  header->type = layout.type;
  header->kind = static_cast<std::uint8_t>(kind);
  header->registration = static_cast<std::uint8_t>(DataObject::Registration::kNone);
  header->meta_bytes = static_cast<std::uint32_t>(layout.meta_bytes);
  header->meta_offset = sizeof(Header);
  header->size_class = block.size_class;
  header->reserved = 0;
  header->data_bytes = layout.data_bytes;
  return header;
}

// memcpy that accepts null for no bytes.
void CopyBytes(std::byte* to, std::span<const std::byte> from) noexcept {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

bool SameBytes(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
  return a.empty() || a.data() == b.data() || std::memcmp(a.data(), b.data(), a.size()) == 0;
}

void CallRelease(const DataObject::Release& release) noexcept {
  if (!release) return;
  try {
    release();
  } catch (const std::exception& e) {
    LogWarn("memory", "the release function of wrapped memory threw: {}", e.what());
  } catch (...) {
    LogWarn("memory", "the release function of wrapped memory threw no std::exception");
  }
}

}  // namespace

void internal::DestroyObject(ObjectHeader* header) noexcept {
  const auto block = ObjectAccess::BlockOf(header);
  switch (static_cast<DataObject::Kind>(header->kind)) {
    case DataObject::Kind::kOwned:
      break;
    case DataObject::Kind::kWrapped: {
      auto* const wrapped = static_cast<WrappedHeader*>(header);
      CallRelease(wrapped->release);
      wrapped->~WrappedHeader();
      break;
    }
    case DataObject::Kind::kView:
      static_cast<ViewHeader*>(header)->~ViewHeader();
      break;
  }
  Arena::State::Free(block);
}

Result<DataObject> DataObject::Allocate(const Layout& layout, Arena* arena) {
  if (arena == nullptr) arena = &Arena::Default();
  // The header is a multiple of the alignment, so only the meta makes a gap before the data.
  static_assert(sizeof(ObjectHeader) % kDataAlignment == 0);
  const std::size_t gap = (kDataAlignment - layout.meta_bytes % kDataAlignment) % kDataAlignment;
  CIREIN_ASSIGN_OR_RETURN(
      ObjectHeader* const header,
      MakeHeader<ObjectHeader>(Kind::kOwned, layout, gap + layout.data_bytes, arena->state()));
  header->registration = static_cast<std::uint8_t>(arena->state()->options().registration);
  header->data = header->meta() + layout.meta_bytes + gap;
  return DataObject(header);
}

Result<DataObject> DataObject::Copy(std::span<const std::byte> data,
                                    std::span<const std::byte> meta, std::uint16_t type) {
  CIREIN_ASSIGN_OR_RETURN(
      DataObject object,
      Allocate({.meta_bytes = meta.size(), .data_bytes = data.size(), .type = type}));
  CopyBytes(object.header_->meta(), meta);
  CopyBytes(object.header_->data, data);
  return object;
}

Result<DataObject> DataObject::FromString(std::string_view data, std::string_view meta,
                                          std::uint16_t type) {
  return Copy(std::as_bytes(std::span(data)), std::as_bytes(std::span(meta)), type);
}

Result<DataObject> DataObject::Wrap(std::span<std::byte> data, Release release,
                                    std::span<const std::byte> meta, std::uint16_t type) {
  const Layout layout{.meta_bytes = meta.size(), .data_bytes = data.size(), .type = type};
  CIREIN_ASSIGN_OR_RETURN(
      WrappedHeader* const header,
      MakeHeader<WrappedHeader>(Kind::kWrapped, layout, 0, Arena::Default().state()));
  header->data = data.data();
  header->release = std::move(release);
  CopyBytes(header->meta(), meta);
  return DataObject(header);
}

Result<DataObject> DataObject::View(std::span<const std::byte> data,
                                    std::shared_ptr<const void> owner,
                                    std::span<const std::byte> meta, std::uint16_t type) {
  const Layout layout{.meta_bytes = meta.size(), .data_bytes = data.size(), .type = type};
  CIREIN_ASSIGN_OR_RETURN(ViewHeader* const header,
                          MakeHeader<ViewHeader>(Kind::kView, layout, 0, Arena::Default().state()));
  // Views give no mutable access, so nothing is written through this.
  header->data = const_cast<std::byte*>(data.data());
  header->owner = std::move(owner);
  CopyBytes(header->meta(), meta);
  return DataObject(header);
}

std::uint64_t DataObject::memory_bytes() const noexcept {
  const std::uint64_t block_bytes = Arena::State::BlockBytes(ObjectAccess::BlockOf(header_));
  return kind() == Kind::kOwned ? block_bytes : block_bytes + data_bytes();
}

Status DataObject::Shrink(std::size_t meta_bytes, std::uint64_t data_bytes) {
  if (kind() == Kind::kView) {
    return InvalidArgument("a view is read-only and cannot shrink", "use DeepCopy first");
  }
  if (use_count() != 1) {
    return InvalidArgument("only an object with a single handle can shrink",
                           "shrink it before it is shared or published");
  }
  if (meta_bytes > header_->meta_bytes || data_bytes > header_->data_bytes) {
    return InvalidArgument(
        fmt::format("an object of {} + {} bytes of meta and data cannot shrink to {} + {}",
                    header_->meta_bytes, header_->data_bytes, meta_bytes, data_bytes),
        "allocate a larger object");
  }
  header_->meta_bytes = static_cast<std::uint32_t>(meta_bytes);
  header_->data_bytes = data_bytes;
  return OkStatus();
}

Result<DataObject> DataObject::DeepCopy() const { return Copy(data(), meta(), type()); }

DataObject::Difference DataObject::Compare(const DataObject& other) const noexcept {
  if (header_ == other.header_) return Difference::kEqual;
  if (is_null() || other.is_null()) return Difference::kNull;
  if (type() != other.type()) return Difference::kType;
  if (meta_bytes() != other.meta_bytes()) return Difference::kMetaSize;
  if (data_bytes() != other.data_bytes()) return Difference::kDataSize;
  if (!SameBytes(meta(), other.meta())) return Difference::kMeta;
  if (!SameBytes(data(), other.data())) return Difference::kData;
  return Difference::kEqual;
}

}  // namespace cirein
