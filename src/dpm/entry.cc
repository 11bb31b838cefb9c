// SPDX-License-Identifier: Apache-2.0
#include "dpm/entry.h"

#include <algorithm>
#include <cassert>

#include "cirein/data_object.h"

#include "base/hash.h"
#include "base/sabotage.h"

namespace cirein::dpm {
namespace {

constexpr std::uint64_t kEntryAlignment = 8;
// Grown to at first, so that a batch of a few small entries never grows its buffer twice.
constexpr std::uint64_t kFirstBufferBytes = 16 * 1024;

/// Entries and batches know where they are (SAFETY 1).
std::uint64_t SeedAt(std::uint64_t segment_seed, Place place, std::uint64_t offset) {
  return Sabotaged(Sabotage::kUnseededChecksums) ? LogSeed(0, place, 0)
                                                 : LogSeed(segment_seed, place, offset);
}

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

// Writes the header but its checksum, word by word: the checksum reads it by words right after,
// which the processor has ready only when they were stored as such.
void PutHeader(const EntryFields& fields, std::uint8_t flags, Cursor* cursor) {
  static_assert(offsetof(EntryHeader, counter) == 8 && offsetof(EntryHeader, data_bytes) == 16 &&
                offsetof(EntryHeader, epoch) == 24 && offsetof(EntryHeader, bucket) == 28 &&
                offsetof(EntryHeader, meta_bytes) == 32 && offsetof(EntryHeader, row_bytes) == 36 &&
                offsetof(EntryHeader, column_bytes) == 38 && offsetof(EntryHeader, slot) == 40 &&
                offsetof(EntryHeader, type) == 42 && offsetof(EntryHeader, kind) == 44 &&
                offsetof(EntryHeader, flags) == 45 && offsetof(EntryHeader, reserved) == 46);
  const auto word = [](std::uint64_t value, int shift) { return value << shift; };
  cursor->PutWord(0);
  cursor->PutWord(fields.version.counter);
  cursor->PutWord(fields.extent ? fields.extent_bytes : fields.data.size());
  cursor->PutWord(fields.version.epoch | word(fields.key.bucket.id(), 32));
  cursor->PutWord(fields.meta.size() | word(fields.key.row.size(), 32) |
                  word(fields.key.column.size(), 48));
  cursor->PutWord(fields.slot | word(fields.type, 16) |
                  word(static_cast<std::uint64_t>(fields.kind), 32) | word(flags, 40));
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

std::uint64_t BytesOf(const EntryFields& fields, std::uint8_t flags) {
  const std::uint64_t data_bytes = fields.extent ? 0 : fields.data.size();
  return AlignUp(sizeof(EntryHeader) + OptionalFieldBytes(flags) + fields.key.row.size() +
                     fields.key.column.size() + fields.meta.size() + data_bytes,
                 kEntryAlignment);
}

// What is worked out once for an entry: for its room and for its bytes.
struct Shape {
  std::uint8_t flags;
  std::uint64_t bytes;
};

[[maybe_unused]] bool SensibleHeader(const std::byte* entry) {
  EntryHeader header;
  std::memcpy(&header, entry, sizeof header);
  return Sensible(header);
}

void PutEntry(const EntryFields& fields, Shape shape, std::uint64_t seed, std::byte* to) {
  assert(fields.version.epoch <= kMaxEpoch && fields.key.row.size() <= kMaxRowBytes &&
         fields.key.column.size() <= kMaxColumnBytes);
  // The padding lies in the last word, which what comes after overwrites as far as it is more.
  std::memset(to + shape.bytes - kEntryAlignment, 0, kEntryAlignment);
  Cursor cursor(to);
  PutHeader(fields, shape.flags, &cursor);
  PutOptionalFields(fields, shape.flags, &cursor);
  cursor.Put(fields.key.row.data(), fields.key.row.size());
  cursor.Put(fields.key.column.data(), fields.key.column.size());
  cursor.Put(fields.meta.data(), fields.meta.size());
  const bool skips_data = !fields.extent && (shape.flags & kHasPayloadChecksum) != 0;
  const std::byte* const covered_end = skips_data ? cursor.at() : to + shape.bytes;
  if (!fields.extent) cursor.Put(fields.data.data(), fields.data.size());
  assert(SensibleHeader(to));

  const std::uint64_t checksum = Sum({to + sizeof(EntryHeader::checksum), covered_end}, seed);
  std::memcpy(to, &checksum, sizeof checksum);
}

}  // namespace

std::uint64_t PayloadChecksum(ByteSpan data) { return Checksum64(data, kPayloadSeed); }

std::uint64_t EntryBytes(const EntryFields& fields) { return BytesOf(fields, FlagsOf(fields)); }

void WriteEntry(const EntryFields& fields, std::uint64_t segment_seed, std::uint64_t offset,
                std::byte* to) {
  const std::uint8_t flags = FlagsOf(fields);
  PutEntry(fields, {flags, BytesOf(fields, flags)}, SeedAt(segment_seed, Place::kEntry, offset),
           to);
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
  if (Sum(covered, SeedAt(segment_seed, Place::kEntry, offset)) != header.checksum) return false;
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
  const std::uint8_t flags = FlagsOf(fields);
  const Shape shape{flags, BytesOf(fields, flags)};
  const std::uint64_t needed_bytes = AlignUp(used_ + shape.bytes, kLine);
  if (needed_bytes > capacity_) return std::nullopt;
  if (needed_bytes > buffer_.size()) [[unlikely]]
    Grow(needed_bytes);
  const std::uint64_t place = offset_ + used_;
  PutEntry(fields, shape, SeedAt(segment_seed_, Place::kEntry, place), buffer_.data() + used_);
  used_ += shape.bytes;
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
                        SeedAt(segment_seed_, Place::kBatch, offset_));
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
  if (Sum(covered, SeedAt(segment_seed, Place::kBatch, offset)) != found.checksum) return false;
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
