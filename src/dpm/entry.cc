// SPDX-License-Identifier: Apache-2.0
#include "dpm/entry.h"

#include <algorithm>
#include <cassert>

#include "cirein/data_object.h"

#include "base/hash.h"

namespace cirein::dpm {
namespace {

constexpr std::uint64_t kEntryAlignment = 8;
// Grown to at first, so that a batch of a few small entries never grows its buffer twice.
constexpr std::uint64_t kFirstBufferBytes = 16 * 1024;

std::uint64_t Sum(ByteSpan bytes, std::uint64_t seed) {
  return Hash64({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, seed);  // NOLINT
}

bool AllZero(ByteSpan bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Does data in place of so many bytes have a checksum of its own?
constexpr bool OwnChecksum(std::uint64_t data_bytes) { return data_bytes >= kPayloadChecksumBytes; }

std::uint8_t FlagsOf(const EntryFields& fields) {
  unsigned flags = 0;
  if (fields.key.has_column) flags |= kHasColumn;
  if (fields.expiry_ms) flags |= kHasExpiry;
  if (fields.request_id) flags |= kHasRequestId;
  if (fields.extent) {
    flags |= kHasExtent;
    if (fields.payload_checksum) flags |= kHasPayloadChecksum;
  } else if (OwnChecksum(fields.data.size())) {
    flags |= kHasPayloadChecksum;
  }
  if (fields.copied) flags |= kCopied;
  return static_cast<std::uint8_t>(flags);
}

// Writes one thing after the other.
class Cursor {
 public:
  explicit Cursor(std::byte* to) : to_(to) {}
  void Put(const void* bytes, std::size_t size) {
    if (size != 0) std::memcpy(to_, bytes, size);  // A null pointer is an error even with no bytes.
    to_ += size;
  }
  void PutWord(std::uint64_t word) { Put(&word, sizeof word); }
  std::byte* at() const { return to_; }

 private:
  std::byte* to_;
};

EntryHeader HeaderOf(const EntryFields& fields, std::uint8_t flags) {
  EntryHeader header{};
  header.counter = fields.version.counter;
  header.data_bytes = fields.extent ? fields.extent_bytes : fields.data.size();
  header.epoch = static_cast<std::uint32_t>(fields.version.epoch);
  header.bucket = fields.key.bucket.id();
  header.meta_bytes = static_cast<std::uint32_t>(fields.meta.size());
  header.row_bytes = static_cast<std::uint16_t>(fields.key.row.size());
  header.column_bytes = static_cast<std::uint16_t>(fields.key.column.size());
  header.slot = fields.slot;
  header.type = fields.type;
  header.kind = static_cast<std::uint8_t>(fields.kind);
  header.flags = flags;
  return header;
}

void PutOptionalFields(const EntryFields& fields, std::uint8_t flags, Cursor* cursor) {
  if (fields.expiry_ms) cursor->PutWord(*fields.expiry_ms);
  if (fields.request_id) {
    cursor->PutWord(fields.request_id->client);
    cursor->PutWord(fields.request_id->sequence);
  }
  if ((flags & kHasPayloadChecksum) != 0) {
    cursor->PutWord(fields.payload_checksum ? *fields.payload_checksum
                                            : PayloadChecksum(fields.data));
  }
  if (fields.extent) cursor->PutWord(*fields.extent);
}

// The rules of each kind, as layout.h has them.
bool KindAllows(const EntryHeader& header) {
  const bool payload_fields = (header.flags & (kHasPayloadChecksum | kHasExtent)) != 0;
  switch (static_cast<EntryKind>(header.kind)) {
    case EntryKind::kObject:
      if ((header.flags & kHasExtent) != 0) return true;
      return ((header.flags & kHasPayloadChecksum) != 0) == OwnChecksum(header.data_bytes);
    case EntryKind::kGone:
      return !payload_fields && header.meta_bytes == 0 && header.data_bytes == 0;
    case EntryKind::kRow:
      return !payload_fields && (header.flags & kHasColumn) == 0 && header.meta_bytes == 0 &&
             header.data_bytes == sizeof(RowRecord);
  }
  return false;
}

// May a header say this? What it says of lengths is then small enough to be added up.
bool Sensible(const EntryHeader& header) {
  if ((header.flags & ~unsigned{kKnownFlags}) != 0 || header.reserved != 0) return false;
  if (header.slot >= kSlotCount || header.row_bytes == 0) return false;
  if ((header.flags & kHasColumn) == 0 && header.column_bytes != 0) return false;
  return header.meta_bytes <= DataObject::kMaxMetaBytes &&
         header.data_bytes <= DataObject::kMaxDataBytes && KindAllows(header);
}

}  // namespace

std::uint64_t PayloadChecksum(ByteSpan data) { return Checksum64(data, kPayloadSeed); }

std::uint64_t EntryBytes(const EntryFields& fields) {
  const std::uint64_t data_bytes = fields.extent ? 0 : fields.data.size();
  return AlignUp(sizeof(EntryHeader) + OptionalFieldBytes(FlagsOf(fields)) + fields.key.row.size() +
                     fields.key.column.size() + fields.meta.size() + data_bytes,
                 kEntryAlignment);
}

void WriteEntry(const EntryFields& fields, std::uint64_t segment_seed, std::uint64_t offset,
                std::byte* to) {
  const std::uint8_t flags = FlagsOf(fields);
  EntryHeader header = HeaderOf(fields, flags);
  assert(Sensible(header) && fields.version.epoch <= kMaxEpoch && offset % kEntryAlignment == 0);

  Cursor cursor(to);
  cursor.Put(&header, sizeof header);
  PutOptionalFields(fields, flags, &cursor);
  cursor.Put(fields.key.row.data(), fields.key.row.size());
  cursor.Put(fields.key.column.data(), fields.key.column.size());
  cursor.Put(fields.meta.data(), fields.meta.size());
  const std::byte* covered_end = cursor.at();
  if (!fields.extent) cursor.Put(fields.data.data(), fields.data.size());
  const auto written = static_cast<std::uint64_t>(cursor.at() - to);
  std::memset(cursor.at(), 0, AlignUp(written, kEntryAlignment) - written);

  const bool skips_data = !fields.extent && (flags & kHasPayloadChecksum) != 0;
  if (!skips_data) covered_end = to + AlignUp(written, kEntryAlignment);
  header.checksum =
      Sum({to + sizeof header.checksum, covered_end}, LogSeed(segment_seed, Place::kEntry, offset));
  std::memcpy(to, &header.checksum, sizeof header.checksum);
}

bool EntryView::Parse(ByteSpan bytes, std::uint64_t segment_seed, std::uint64_t offset,
                      EntryView* view) {
  if (bytes.size() < sizeof(EntryHeader) || offset % kEntryAlignment != 0) return false;
  EntryHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (!Sensible(header)) return false;

  const std::uint64_t data_begin = sizeof header + OptionalFieldBytes(header.flags) +
                                   header.row_bytes + header.column_bytes + header.meta_bytes;
  const bool in_place = (header.flags & kHasExtent) == 0;
  const std::uint64_t size =
      AlignUp(data_begin + (in_place ? header.data_bytes : 0), kEntryAlignment);
  if (size > bytes.size()) return false;
  const bool skips_data = in_place && (header.flags & kHasPayloadChecksum) != 0;
  const ByteSpan covered =
      bytes.first(skips_data ? data_begin : size).subspan(sizeof header.checksum);
  if (Sum(covered, LogSeed(segment_seed, Place::kEntry, offset)) != header.checksum) return false;
  *view = Trust(bytes.data());
  return true;
}

bool EntryView::PayloadIntact() const {
  if (!has(kHasPayloadChecksum) || has(kHasExtent)) return true;
  const std::byte* const padding = data().data() + data().size();
  return PayloadChecksum(data()) == *payload_checksum() && AllZero({padding, entry_ + size()});
}

void BatchBuilder::Begin(std::uint64_t segment_seed, std::uint64_t offset, std::uint64_t capacity) {
  assert(offset % kLine == 0);
  segment_seed_ = segment_seed;
  offset_ = offset;
  capacity_ = std::min(capacity, kMaxSegmentBytes) / kLine * kLine;
  used_ = sizeof(BatchHeader);
  count_ = 0;
}

std::optional<std::uint64_t> BatchBuilder::Add(const EntryFields& fields) {
  const std::uint64_t size = EntryBytes(fields);
  const std::uint64_t needed_bytes = AlignUp(used_ + size, kLine);
  if (needed_bytes > capacity_) return std::nullopt;
  if (needed_bytes > buffer_.size()) [[unlikely]]
    Grow(needed_bytes);
  const std::uint64_t place = offset_ + used_;
  WriteEntry(fields, segment_seed_, place, buffer_.data() + used_);
  used_ += size;
  ++count_;
  return place;
}

void BatchBuilder::Grow(std::uint64_t needed_bytes) {
  buffer_.resize(std::max({needed_bytes, 2 * buffer_.size(), kFirstBufferBytes}));
}

std::uint64_t BatchBuilder::bytes() const noexcept { return AlignUp(used_, kLine); }

ByteSpan BatchBuilder::Finish(std::uint64_t mark) {
  assert(count_ != 0 && mark <= offset_);
  std::memset(buffer_.data() + used_, 0, bytes() - used_);
  BatchHeader header{};
  header.magic = kBatchMagic;
  header.bytes = static_cast<std::uint32_t>(bytes());
  header.count = count_;
  header.mark = static_cast<std::uint32_t>(mark);
  std::memcpy(buffer_.data(), &header, sizeof header);
  header.checksum = Sum(ByteSpan(buffer_).first(sizeof header).subspan(sizeof header.checksum),
                        LogSeed(segment_seed_, Place::kBatch, offset_));
  std::memcpy(buffer_.data(), &header.checksum, sizeof header.checksum);
  return ByteSpan(buffer_).first(bytes());
}

void BatchBuilder::Rollback(std::uint32_t count, std::uint64_t bytes_used) {
  assert(count <= count_ && bytes_used <= used_);
  count_ = count;
  used_ = bytes_used;
}

bool BatchView::ParseHeader(ByteSpan bytes, std::uint64_t segment_seed, std::uint64_t offset,
                            BatchHeader* header) {
  if (bytes.size() < sizeof(BatchHeader)) return false;
  BatchHeader found;
  std::memcpy(&found, bytes.data(), sizeof found);
  if (found.magic != kBatchMagic || found.bytes < kLine || found.bytes % kLine != 0 ||
      found.count == 0 || found.mark > offset || found.reserved != 0) {
    return false;
  }
  const ByteSpan covered = bytes.first(sizeof found).subspan(sizeof found.checksum);
  if (Sum(covered, LogSeed(segment_seed, Place::kBatch, offset)) != found.checksum) return false;
  *header = found;
  return true;
}

bool BatchView::Parse(ByteSpan bytes, std::uint64_t segment_seed, std::uint64_t offset,
                      Payloads payloads, BatchView* view) {
  BatchHeader header;
  if (!ParseHeader(bytes, segment_seed, offset, &header) || header.bytes > bytes.size()) {
    return false;
  }
  bytes = bytes.first(header.bytes);
  // Each turn moves on by an entry's size, so a count that lies ends at the end of the batch.
  std::uint64_t at = sizeof header;
  for (std::uint32_t i = 0; i < header.count; ++i) {
    EntryView entry;
    if (!EntryView::Parse(bytes.subspan(at), segment_seed, offset + at, &entry)) return false;
    if (payloads == Payloads::kCheck && !entry.PayloadIntact()) return false;
    at += entry.size();
  }
  if (AlignUp(at, kLine) != header.bytes || !AllZero(bytes.subspan(at))) return false;
  *view = Trust(bytes.data());
  return true;
}

}  // namespace cirein::dpm
