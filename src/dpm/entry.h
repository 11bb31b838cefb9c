// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cirein/operations.h"

#include "dpm/layout.h"
#include "object/key_view.h"

namespace cirein::dpm {

using ByteSpan = std::span<const std::byte>;

/// {client, sequence} of a native mutation (SAFETY 22's retries).
struct RequestId {
  std::uint64_t client = 0;
  std::uint64_t sequence = 0;
  friend bool operator==(const RequestId&, const RequestId&) = default;
};

/// What an entry is to say; points to the caller's bytes.
struct EntryFields {
  EntryKind kind = EntryKind::kObject;
  KeyView key;
  std::uint16_t slot = 0;
  Version version;
  std::optional<std::uint64_t> expiry_ms;  ///< Since 1970.
  std::optional<RequestId> request_id;
  std::uint16_t type = 0;
  ByteSpan meta;
  /// In place; or empty with `extent`, and then `data_bytes` and `payload_checksum` are the extent's.
  ByteSpan data;
  std::optional<std::uint64_t> extent;
  std::uint64_t extent_bytes = 0;
  /// Known already (extents, the cleaner's copies); else it is computed when the data is large.
  std::optional<std::uint64_t> payload_checksum;
  bool copied = false;
};

/// The bytes the entry takes in a batch, padding included.
std::uint64_t EntryBytes(const EntryFields& fields);
/// Writes the entry to `to` (EntryBytes of room), for the place `offset` of a segment.
void WriteEntry(const EntryFields& fields, std::uint64_t segment_seed, std::uint64_t offset,
                std::byte* to);

/// The checksum of an object's data when it has one of its own.
std::uint64_t PayloadChecksum(std::uint64_t pool_id, ByteSpan data);

/// An entry as it lies in the log. Cheap to copy; valid while the bytes are. What the accessors give
/// is only as good as the Parse or Trust that made it.
class EntryView {
 public:
  EntryView() = default;

  /// Believes nothing: false unless `bytes` begin with a whole entry (of known kind and flags, lengths
  /// that fit) whose checksum is right for this place. Does not read data that has its own checksum.
  static bool Parse(ByteSpan bytes, std::uint64_t segment_seed, std::uint64_t offset,
                    EntryView* view);
  /// For an entry that was validated before and cannot have changed: one below a mark, whose segment
  /// cannot be freed now. Reads nothing.
  static EntryView Trust(const std::byte* entry) { return EntryView(entry); }

  explicit operator bool() const noexcept { return entry_ != nullptr; }
  const std::byte* bytes() const noexcept { return entry_; }
  const EntryHeader& header() const noexcept {
    return *reinterpret_cast<const EntryHeader*>(entry_);  // NOLINT: entries are 8-byte aligned.
  }
  EntryKind kind() const noexcept { return static_cast<EntryKind>(header().kind); }
  bool has(std::uint8_t flag) const noexcept { return (header().flags & flag) != 0; }
  Version version() const noexcept { return {header().epoch, header().counter}; }
  std::uint16_t slot() const noexcept { return header().slot; }

  std::uint64_t size() const noexcept;  ///< With padding: where the next entry begins.
  std::optional<std::uint64_t> expiry_ms() const noexcept;
  std::optional<RequestId> request_id() const noexcept;
  std::optional<std::uint64_t> payload_checksum() const noexcept;
  std::optional<std::uint64_t> extent() const noexcept;
  std::string_view row() const noexcept;
  std::string_view column() const noexcept;
  bool has_column() const noexcept { return has(kHasColumn); }
  KeyView key() const noexcept;  ///< Hashes the row.
  ByteSpan meta() const noexcept;
  std::uint64_t data_bytes() const noexcept { return header().data_bytes; }
  ByteSpan data() const noexcept;  ///< Empty when it is in an extent.
  /// Of a kRow entry.
  Version hide_below() const noexcept;
  /// Reads the data in place: is it what its own checksum says? True when it has none, or an extent.
  bool PayloadIntact(std::uint64_t pool_id) const;

 private:
  explicit EntryView(const std::byte* entry) : entry_(entry) {}
  std::uint64_t Optional(std::uint8_t flag) const noexcept;  // Where the field is.
  const std::byte* entry_ = nullptr;
};

/// A batch being put together in memory, for one place of one segment. Not thread-safe.
class BatchBuilder {
 public:
  /// Begins anew for a place. `capacity`: no batch grows beyond it.
  void Begin(std::uint64_t segment_seed, std::uint64_t offset, std::uint64_t capacity);
  /// Adds an entry; its place in the segment, or nullopt (and nothing is added) when it does not fit.
  std::optional<std::uint64_t> Add(const EntryFields& fields);
  std::uint32_t count() const noexcept { return count_; }
  std::uint64_t bytes() const noexcept;  ///< With header and padding.
  /// Writes the header; the bytes stay valid until Begin.
  ByteSpan Finish(std::uint64_t mark);
  /// Takes back all entries after the first `count`; `bytes_used` is what used_bytes() was then.
  void Rollback(std::uint32_t count, std::uint64_t bytes_used);
  std::uint64_t used_bytes() const noexcept { return used_; }

 private:
  std::uint64_t segment_seed_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t capacity_ = 0;
  std::uint64_t used_ = 0;  // Without the padding at the end.
  std::uint32_t count_ = 0;
  std::vector<std::byte> buffer_;
};

/// A batch as it lies in the log.
class BatchView {
 public:
  /// Believes nothing. False unless `bytes` begin with a batch header valid for this place that fits
  /// and holds exactly its count of valid entries. `payloads`: read large data as well.
  enum class Payloads : std::uint8_t { kSkip, kCheck };
  static bool Parse(ByteSpan bytes, std::uint64_t pool_id, std::uint64_t segment_seed,
                    std::uint64_t offset, Payloads payloads, BatchView* view);
  /// For one validated before.
  static BatchView Trust(const std::byte* batch) {
    BatchView view;
    view.batch_ = batch;
    return view;
  }
  const BatchHeader& header() const noexcept {
    return *reinterpret_cast<const BatchHeader*>(batch_);  // NOLINT
  }
  /// Calls visit(EntryView, offset in the batch) for each entry, in order.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    std::uint64_t offset = sizeof(BatchHeader);
    for (std::uint32_t i = 0; i < header().count; ++i) {
      const EntryView entry = EntryView::Trust(batch_ + offset);
      visit(entry, offset);
      offset += entry.size();
    }
  }

 private:
  const std::byte* batch_ = nullptr;
};

}  // namespace cirein::dpm
