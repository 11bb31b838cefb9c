// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cirein/internal/object_header.h"
#include "cirein/status.h"

namespace cirein {

class Arena;

/// What an object is made of: meta bytes that describe, data bytes that are described, and a 16-bit
/// type tag of the user's choice. A DataObject is a reference-counted handle over one such body:
/// copies share it, the last one frees it. It is a pointer wide.
///
/// The body is immutable once published, by convention: a producer fills it while it holds the only
/// handle. Thread safety: distinct handles may be used from distinct threads, also of one body; the
/// bytes are the user's to guard until they are published.
class DataObject {
 public:
  /// At most this much meta.
  static constexpr std::size_t kMaxMetaBytes = 65'536;
  /// At most this much data (the format's limit; `memory.object_limit` sets a smaller one).
  static constexpr std::uint64_t kMaxDataBytes = std::uint64_t{1} << 46;

  /// Where the bytes live.
  enum class Kind : std::uint8_t {
    kOwned,    ///< In an arena, freed with the last handle.
    kWrapped,  ///< The user's memory, handed to a release function with the last handle.
    kView,     ///< Memory kept alive by an owner (a pool, a file, another object); read-only.
  };

  /// Is the memory known to the network card? Eager memory was registered with its arena, lazy
  /// memory is registered the first time a transfer asks for it.
  enum class Registration : std::uint8_t { kNone, kEager, kLazy };

  /// Null: no body. Everything but assignment, null checks and comparison needs a body.
  DataObject() noexcept = default;
  DataObject(const DataObject& other) noexcept : header_(other.header_) {
    if (header_ != nullptr) internal::AddReference(header_);
  }
  DataObject(DataObject&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  DataObject& operator=(const DataObject& other) noexcept {
    DataObject(other).swap(*this);
    return *this;
  }
  DataObject& operator=(DataObject&& other) noexcept {
    DataObject(std::move(other)).swap(*this);
    return *this;
  }
  ~DataObject() {
    if (header_ != nullptr) internal::DropReference(header_);
  }
  void swap(DataObject& other) noexcept { std::swap(header_, other.header_); }

  struct Layout {
    std::size_t meta_bytes = 0;
    std::uint64_t data_bytes = 0;
    std::uint16_t type = 0;
  };

  /// A body with uninitialised meta and data, in `arena` (null: the process's default one). Data
  /// begins at a multiple of 16 bytes. Errors: InvalidArgument beyond the limits above;
  /// ResourceExhausted when the arena's limit is reached or the system has no memory.
  static Result<DataObject> Allocate(const Layout& layout, Arena* arena = nullptr);

  /// A copy of these bytes. Errors as Allocate.
  static Result<DataObject> Copy(std::span<const std::byte> data,
                                 std::span<const std::byte> meta = {}, std::uint16_t type = 0);
  static Result<DataObject> FromString(std::string_view data, std::string_view meta = {},
                                       std::uint16_t type = 0);

  /// Called once, on whatever thread drops the last handle; must not throw or block for long.
  using Release = std::function<void()>;

  /// Wraps the user's writable memory without copying it; meta is copied. `release` may be empty.
  /// Errors as Allocate, for the header and the meta; then `release` is not called, and the memory
  /// stays the caller's.
  static Result<DataObject> Wrap(std::span<std::byte> data, Release release,
                                 std::span<const std::byte> meta = {}, std::uint16_t type = 0);

  /// A read-only view of memory that `owner` keeps alive; meta is copied. Errors as Wrap; then the
  /// owner is let go.
  static Result<DataObject> View(std::span<const std::byte> data, std::shared_ptr<const void> owner,
                                 std::span<const std::byte> meta = {}, std::uint16_t type = 0);

  bool is_null() const noexcept { return header_ == nullptr; }
  explicit operator bool() const noexcept { return header_ != nullptr; }

  Kind kind() const noexcept { return static_cast<Kind>(header_->kind); }
  std::uint16_t type() const noexcept { return header_->type; }
  /// Only while this is the sole handle.
  void set_type(std::uint16_t type) noexcept { header_->type = type; }

  std::size_t meta_bytes() const noexcept { return header_->meta_bytes; }
  std::uint64_t data_bytes() const noexcept { return header_->data_bytes; }
  /// meta_bytes() + data_bytes(): what Kelpie calls the user size.
  std::uint64_t user_bytes() const noexcept { return meta_bytes() + data_bytes(); }
  /// What the body costs in memory: header, meta, data and the allocator's rounding. The data of
  /// wrapped memory and of views counts too, since the body keeps it alive.
  std::uint64_t memory_bytes() const noexcept;

  std::span<const std::byte> meta() const noexcept {
    return {header_->meta(), header_->meta_bytes};
  }
  std::span<const std::byte> data() const noexcept { return {header_->data, header_->data_bytes}; }
  /// For filling; empty for views, which are read-only.
  std::span<std::byte> mutable_meta() noexcept {
    if (kind() == Kind::kView) return {};
    return {header_->meta(), header_->meta_bytes};
  }
  std::span<std::byte> mutable_data() noexcept {
    if (kind() == Kind::kView) return {};
    return {header_->data, header_->data_bytes};
  }

  std::string_view meta_text() const noexcept {
    return {reinterpret_cast<const char*>(header_->meta()), header_->meta_bytes};
  }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(header_->data), header_->data_bytes};
  }

  /// The data as an array of T; empty when its size is not a multiple of sizeof(T), or its address
  /// not aligned for T.
  template <typename T>
  std::span<const T> array() const noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto bytes = data();
    if (bytes.size() % sizeof(T) != 0 || !IsAligned(bytes.data(), alignof(T))) return {};
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <typename T>
  std::span<T> mutable_array() noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto bytes = mutable_data();
    if (bytes.size() % sizeof(T) != 0 || !IsAligned(bytes.data(), alignof(T))) return {};
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  /// The meta as one T; null when the size is not sizeof(T).
  template <typename T>
  const T* meta_as() const noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto bytes = meta();
    if (bytes.size() != sizeof(T) || !IsAligned(bytes.data(), alignof(T))) return nullptr;
    return reinterpret_cast<const T*>(bytes.data());
  }

  /// Makes meta and data smaller (never larger) in place; only while this is the sole handle, and
  /// not for views. InvalidArgument otherwise. No byte moves, and no memory is given back before
  /// the body ends.
  Status Shrink(std::size_t meta_bytes, std::uint64_t data_bytes);

  /// An owned body with the same bytes and type. Errors as Allocate.
  Result<DataObject> DeepCopy() const;

  /// Which part of two bodies differs first; both null is kEqual.
  enum class Difference : std::uint8_t { kEqual, kNull, kType, kMetaSize, kDataSize, kMeta, kData };
  Difference Compare(const DataObject& other) const noexcept;

  /// How many handles share the body; exact only while no other thread copies or drops one.
  std::uint32_t use_count() const noexcept {
    return header_ == nullptr ? 0 : header_->references.load(std::memory_order_acquire);
  }

  /// Asks memory for the beginning of the body, which will be read soon. Null is fine.
  void Prefetch() const noexcept { __builtin_prefetch(header_); }

  Registration registration() const noexcept {
    return static_cast<Registration>(header_->registration);
  }

  /// The image of an object: 32 bytes of header (magic, format version, type, sizes, checksum of
  /// header, meta and data), meta, data; little-endian. docs/file-format.md gives every byte.
  static constexpr std::size_t kImageHeaderBytes = 32;
  std::uint64_t image_bytes() const noexcept { return kImageHeaderBytes + user_bytes(); }
  /// Writes the image to a new file beside `path`, syncs it and renames it over `path`. Blocks.
  Status WriteImage(const std::string& path) const;
  /// Reads an image into `arena` (null: the process's default one). Blocks. DataLoss when it is
  /// truncated, damaged or not an image; IoError and NotFound as the system reports; errors of
  /// Allocate.
  static Result<DataObject> ReadImage(const std::string& path, Arena* arena = nullptr);

  /// Handles are equal when they share one body (or are both null); Compare looks at the bytes.
  friend bool operator==(const DataObject& a, const DataObject& b) noexcept {
    return a.header_ == b.header_;
  }

 private:
  explicit DataObject(internal::ObjectHeader* header) noexcept : header_(header) {}
  static bool IsAligned(const void* pointer, std::size_t alignment) noexcept {
    return reinterpret_cast<std::uintptr_t>(pointer) % alignment == 0;
  }
  friend class ObjectAccess;  // The inside of the library, in memory/object_header.h.
  internal::ObjectHeader* header_ = nullptr;
};

}  // namespace cirein
