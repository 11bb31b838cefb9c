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

/// What an entry is to say; points to the caller's bytes. The limits of keys and objects hold, the
/// epoch is at most kMaxEpoch, the slot below kSlotCount: who fills it in has checked that.
struct EntryFields {
  EntryKind kind = EntryKind::kObject;
  KeyView key;
  std::uint16_t slot = 0;
  Version version = {};
  std::optional<std::uint64_t> expiry_ms = std::nullopt;  ///< Since 1970.
  std::optional<RequestId> request_id = std::nullopt;
  std::uint16_t type = 0;
  ByteSpan meta = {};
  /// In place; or empty with `extent`, and then `extent_bytes` and `payload_checksum` are the
  /// extent's. Of a kRow entry the bytes of its RowRecord.
  ByteSpan data = {};
  std::optional<std::uint64_t> extent = std::nullopt;
  std::uint64_t extent_bytes = 0;
  /// Known already (extents, the cleaner's copies); else it is computed when the data is large.
  /// Data in place that is smaller never has one, known or not.
  std::optional<std::uint64_t> payload_checksum = std::nullopt;
  bool copied = false;
};

/// The bytes the entry takes in a batch, padding included.
std::uint64_t EntryBytes(const EntryFields& fields);
/// Writes the entry to `to` (EntryBytes of room), for the place `offset` of a segment.
void WriteEntry(const EntryFields& fields, std::uint64_t segment_seed, std::uint64_t offset,
                std::byte* to);

/// The checksum of an object's data when it has one of its own. It says nothing of the place: the
/// entry's own checksum, which covers it, does. So who writes the data need not know where it goes.
std::uint64_t PayloadChecksum(ByteSpan data);
inline constexpr std::uint64_t kPayloadSeed = PlaceSeed(0, Place::kPayload, 0);

/// What the optional fields of an entry with these flags take.
constexpr std::uint64_t OptionalFieldBytes(std::uint8_t flags) noexcept {
  static_assert(kHasExpiry == 2 && kHasRequestId == 4 && kHasPayloadChecksum == 8 &&
                kHasExtent == 16);
  return 8U * ((flags >> 1 & 1U) + 2 * (flags >> 2 & 1U) + (flags >> 3 & 1U) + (flags >> 4 & 1U));
}

/// An entry as it lies in the log. Cheap to copy; valid while the bytes are. What the accessors
/// give is only as good as the Parse or Trust that made it.
class EntryView {
 public:
  EntryView() = default;

  /// Believes nothing: false unless `bytes`, which begin at a multiple of 8, begin with a whole
  /// entry (of known kind and flags, lengths that fit) whose checksum is right for this place. Does
  /// not read data that has its own checksum, nor the padding after it.
  static bool Parse(ByteSpan bytes, std::uint64_t segment_seed, std::uint64_t offset,
                    EntryView* view);
  /// For an entry that was validated before and cannot have changed: one below a mark, whose
  /// segment cannot be freed now. Reads nothing.
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

  /// With padding: where the next entry begins.
  std::uint64_t size() const noexcept { return AlignUp(data_offset() + data_in_place(), 8); }
  std::optional<std::uint64_t> expiry_ms() const noexcept { return OptionalWord(kHasExpiry); }
  std::optional<RequestId> request_id() const noexcept {
    if (!has(kHasRequestId)) return std::nullopt;
    const std::uint64_t at = OptionalOffset(kHasRequestId);
    return RequestId{Word(at), Word(at + sizeof(std::uint64_t))};
  }
  std::optional<std::uint64_t> payload_checksum() const noexcept {
    return OptionalWord(kHasPayloadChecksum);
  }
  std::optional<std::uint64_t> extent() const noexcept { return OptionalWord(kHasExtent); }
  Bucket bucket() const noexcept { return Bucket(header().bucket); }
  std::uint16_t type() const noexcept { return header().type; }
  std::string_view row() const noexcept { return Text(row_offset(), header().row_bytes); }
  std::string_view column() const noexcept {
    return Text(row_offset() + header().row_bytes, header().column_bytes);
  }
  bool has_column() const noexcept { return has(kHasColumn); }
  KeyView key() const noexcept {  ///< Hashes the row.
    KeyView key(bucket(), row());
    key.column = column();
    key.has_column = has_column();
    return key;
  }
  ByteSpan meta() const noexcept {
    return {entry_ + data_offset() - header().meta_bytes, header().meta_bytes};
  }
  std::uint64_t data_bytes() const noexcept { return header().data_bytes; }
  /// Empty when it is in an extent.
  ByteSpan data() const noexcept { return {entry_ + data_offset(), data_in_place()}; }
  /// Of a kRow entry.
  Version hide_below() const noexcept {
    RowRecord record;
    std::memcpy(&record, data().data(), sizeof record);
    return {record.hide_epoch, record.hide_counter};
  }
  /// Reads the data in place: is it what its own checksum says, and zeros after it? True when it
  /// has none, or an extent.
  bool PayloadIntact() const;

 private:
  explicit EntryView(const std::byte* entry) : entry_(entry) {}
  // Where the field of a flag is, or would be.
  std::uint64_t OptionalOffset(std::uint8_t flag) const noexcept {
    return sizeof(EntryHeader) +
           OptionalFieldBytes(static_cast<std::uint8_t>(header().flags & (flag - 1)));
  }
  std::optional<std::uint64_t> OptionalWord(std::uint8_t flag) const noexcept {
    if (!has(flag)) return std::nullopt;
    return Word(OptionalOffset(flag));
  }
  std::uint64_t Word(std::uint64_t offset) const noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, entry_ + offset, sizeof word);
    return word;
  }
  std::string_view Text(std::uint64_t offset, std::size_t bytes) const noexcept {
    return {reinterpret_cast<const char*>(entry_ + offset), bytes};  // NOLINT: bytes as text.
  }
  std::uint64_t row_offset() const noexcept {
    return sizeof(EntryHeader) + OptionalFieldBytes(header().flags);
  }
  std::uint64_t data_offset() const noexcept {
    return row_offset() + header().row_bytes + header().column_bytes + header().meta_bytes;
  }
  std::uint64_t data_in_place() const noexcept { return has(kHasExtent) ? 0 : data_bytes(); }

  const std::byte* entry_ = nullptr;
};

/// A batch being put together in memory, for one place of one segment. Not thread-safe.
class BatchBuilder {
 public:
  /// Begins anew for a place. `capacity`: no batch grows beyond it, padding included.
  void Begin(std::uint64_t segment_seed, std::uint64_t offset, std::uint64_t capacity);
  /// Adds an entry; gives its place in the segment, or nullopt (and nothing is added) when it does
  /// not fit.
  std::optional<std::uint64_t> Add(const EntryFields& fields);
  std::uint32_t count() const noexcept { return count_; }
  std::uint64_t bytes() const noexcept;  ///< With header and padding.
  /// Writes the header; the bytes stay valid until Begin.
  ByteSpan Finish(std::uint64_t mark);
  /// Takes back all entries after the first `count`; `bytes_used` is what used_bytes() was then.
  void Rollback(std::uint32_t count, std::uint64_t bytes_used);
  std::uint64_t used_bytes() const noexcept { return used_; }

 private:
  void Grow(std::uint64_t needed_bytes);

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
  enum class Payloads : std::uint8_t { kSkip, kCheck };
  /// Believes nothing. False unless `bytes`, which begin at a multiple of 8, begin with a batch
  /// header valid for this place that fits and holds exactly its count of valid entries, zeros
  /// after them. `payloads`: read large data as well.
  static bool Parse(ByteSpan bytes, std::uint64_t segment_seed, std::uint64_t offset,
                    Payloads payloads, BatchView* view);
  /// Only the header, which has a checksum of its own: is it whole and of this place? The batch
  /// need not fit, nor its entries be valid.
  static bool ParseHeader(ByteSpan bytes, std::uint64_t segment_seed, std::uint64_t offset,
                          BatchHeader* header);
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
