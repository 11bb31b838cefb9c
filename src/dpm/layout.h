// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "cirein/key.h"

#include "base/hash.h"

/// The bytes of a pool, as docs/file-format.md describes them: little-endian, no pointers, only
/// offsets. A pool is a space (region/region.h) with the regions kControlName, kLogName, kIndexName
/// and one region for each large object.
namespace cirein::dpm {

static_assert(std::endian::native == std::endian::little, "the structs here are the bytes");

inline constexpr char kControlName[] = "control";
inline constexpr char kLogName[] = "log";
inline constexpr char kIndexName[] = "index";
/// Followed by 16 hex digits: the extent's number.
inline constexpr char kExtentPrefix[] = "extent-";

inline constexpr std::uint64_t kLine = 64;
inline constexpr std::uint64_t kPage = 4096;

constexpr std::uint64_t AlignUp(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

// ---- Limits
// --------------------------------------------------------------------------------------

inline constexpr std::uint64_t kMinSegmentBytes = 16 * 1024;
inline constexpr std::uint64_t kMaxSegmentBytes = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kDefaultSegmentBytes = std::uint64_t{8} << 20;
inline constexpr std::uint64_t kMinSegments = 8;
inline constexpr std::uint64_t kMaxSegments = std::uint64_t{1} << 24;
/// A location counts 8-byte units in 46 bits.
inline constexpr std::uint64_t kMaxLogBytes = std::uint64_t{1} << 48;
inline constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{1} << 46;
inline constexpr std::uint32_t kMaxEpoch = UINT32_MAX;

// ---- Twin records
// --------------------------------------------------------------------------------
//
// What the DPM changes in place (superblock, segment records, slot roots) is kept twice. A change
// writes and persists copy A, then copy B. So A, when valid, is the newest; when it is not, a crash
// tore it (or it was damaged) and B is what was promised. Both invalid is corruption. A checksum
// begins every record and is seeded with its pool and place.

/// What a checksum's seed says of the place besides pool and number.
enum class Place : std::uint64_t {
  kSuperblock = 1,
  kSegmentRecord,
  kSlotRoot,
  kSegmentHeader,
  kMark,
  kBatch,
  kEntry,
  kPayload,
  kIndexHeader,
  kExtentTrailer,
};

constexpr std::uint64_t MixSeed(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t z = (a ^ std::rotl(b, 29)) + 0x9E3779B97F4A7C15U * (b + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}
constexpr std::uint64_t PlaceSeed(std::uint64_t pool_id, Place place, std::uint64_t number) {
  return MixSeed(MixSeed(pool_id, static_cast<std::uint64_t>(place)), number);
}
/// The seed of all batches and entries of one life of a segment; the offset is mixed in for each.
constexpr std::uint64_t SegmentSeed(std::uint64_t pool_id, std::uint64_t segment,
                                    std::uint64_t generation) {
  return MixSeed(MixSeed(pool_id, segment), generation);
}
constexpr std::uint64_t LogSeed(std::uint64_t segment_seed, Place place, std::uint64_t offset) {
  return MixSeed(segment_seed, (static_cast<std::uint64_t>(place) << 40) | offset);
}

// ---- Control region
// ------------------------------------------------------------------------------
//
//   0                       superblock A (4096 bytes)
//   4096                    superblock B
//   8192                    segment records A, 64 bytes each, padded to a page
//   then                    segment records B
//   then                    slot roots A, 32 bytes each (16384)
//   then                    slot roots B

inline constexpr std::uint64_t kSuperblockMagic = 0x314C'4F4F'5052'4943;  // "CIRPOOL1"
inline constexpr std::uint16_t kFormatMajor = 1;
inline constexpr std::uint16_t kFormatMinor = 1;

enum class Durability : std::uint32_t {
  kProcess = 1,  ///< Answered when in the page cache or shared memory, synced at least each second.
  kPower = 2,    ///< On the medium before the answer.
};

enum class PoolState : std::uint32_t {
  kClean = 1,  ///< Closed in order: the index is on the medium and nothing is unmerged.
  kOpen = 2,   ///< In use, or left so by a crash.
};

struct Superblock {
  std::uint64_t magic;
  std::uint64_t checksum;  ///< Of all that follows, seeded with Place::kSuperblock and pool id 0.
  std::uint16_t format_major;  ///< Another one is refused.
  std::uint16_t format_minor;  ///< A higher one may be opened: it only added what may be ignored.
  std::uint32_t durability;    ///< A Durability.
  std::uint64_t pool_id;
  std::uint64_t segment_bytes;
  std::uint64_t segments;
  std::uint64_t index_bytes;
  std::uint64_t extent_limit_bytes;  ///< All extents together never exceed it.
  std::uint64_t large_bytes;         ///< Data beyond it gets an extent of its own.
  std::uint32_t slots;               ///< 16384.
  std::uint32_t state;               ///< A PoolState.
  std::uint64_t highest_epoch;       ///< Of all grants ever made in the pool.
  std::uint64_t next_incarnation;    ///< Greater than every one ever used.
  std::uint64_t extent_ceiling;      ///< No extent number from here on was ever used.
  std::uint64_t writes;              ///< How often the superblock was written.
  std::uint64_t created_ms;          ///< Wall clock, since 1970.
  char boot_id[64];  ///< Of the machine's start under which it was last opened; padded with 0.
  std::uint64_t judged_ms;      ///< No later open judges expiry by an earlier time; since minor 1.
  std::uint8_t reserved[3904];  ///< 0.
};
static_assert(sizeof(Superblock) == kPage && offsetof(Superblock, checksum) == 8 &&
              offsetof(Superblock, format_major) == 16 && offsetof(Superblock, pool_id) == 24 &&
              offsetof(Superblock, segment_bytes) == 32 && offsetof(Superblock, segments) == 40 &&
              offsetof(Superblock, index_bytes) == 48 &&
              offsetof(Superblock, extent_limit_bytes) == 56 &&
              offsetof(Superblock, large_bytes) == 64 && offsetof(Superblock, slots) == 72 &&
              offsetof(Superblock, state) == 76 && offsetof(Superblock, highest_epoch) == 80 &&
              offsetof(Superblock, next_incarnation) == 88 &&
              offsetof(Superblock, extent_ceiling) == 96 && offsetof(Superblock, writes) == 104 &&
              offsetof(Superblock, created_ms) == 112 && offsetof(Superblock, boot_id) == 120 &&
              offsetof(Superblock, judged_ms) == 184 && offsetof(Superblock, reserved) == 192);

enum class SegmentState : std::uint32_t {
  kFree = 0,
  kOpen = 1,    ///< Granted: its end is where its log ends.
  kSealed = 2,  ///< Its end is recorded.
};

/// Which shard number the cleaner's segments carry.
inline constexpr std::uint32_t kCleanerShard = UINT32_MAX;

struct SegmentRecord {
  std::uint64_t checksum;     ///< Seeded with Place::kSegmentRecord and the segment's number.
  std::uint64_t generation;   ///< Raised when the segment is freed; a new pool's are 1.
  std::uint64_t incarnation;  ///< Of the writer.
  std::uint64_t sequence;     ///< Orders the segments of one shard of one incarnation; from 1.
  std::uint32_t shard;
  std::uint32_t state;        ///< A SegmentState.
  std::uint32_t end;          ///< When sealed: where the log ends, from the segment's begin.
  std::uint32_t used_before;  ///< 0 while the segment's bytes were never written.
  std::uint64_t reserved[2];  ///< 0.
};
static_assert(sizeof(SegmentRecord) == 64 && offsetof(SegmentRecord, shard) == 32 &&
              offsetof(SegmentRecord, end) == 40);

struct SlotRoot {
  std::uint64_t checksum;        ///< Seeded with Place::kSlotRoot and the slot.
  std::uint64_t epoch;           ///< Of the slot's last grant; the next one must be higher.
  std::uint64_t clock_floor_ms;  ///< No later owner judges expiry by an earlier time (since 1970).
  std::uint64_t incarnation;     ///< To which it was granted last.
};
static_assert(sizeof(SlotRoot) == 32);

/// Where things are in the control region of a pool with so many segments.
struct ControlLayout {
  std::uint64_t segments = 0;

  static constexpr std::uint64_t superblock(int copy) { return copy == 0 ? 0 : kPage; }
  constexpr std::uint64_t table_bytes() const {
    return AlignUp(segments * sizeof(SegmentRecord), kPage);
  }
  constexpr std::uint64_t segment_record(int copy, std::uint64_t segment) const {
    return 2 * kPage + static_cast<std::uint64_t>(copy) * table_bytes() +
           segment * sizeof(SegmentRecord);
  }
  constexpr std::uint64_t slot_root(int copy, std::uint32_t slot) const {
    return 2 * kPage + 2 * table_bytes() +
           (static_cast<std::uint64_t>(copy) * kSlotCount + slot) * sizeof(SlotRoot);
  }
  constexpr std::uint64_t bytes() const { return slot_root(2, 0); }
};

// ---- Log region
// ----------------------------------------------------------------------------------
//
// Segment n begins at n * segment_bytes: a page with its header and mark word, then batches, each
// at a multiple of 64 bytes, one after another. A batch is what a writer writes and persists at
// once: a header and its entries. It is valid whole or not at all, so it is also what a transaction
// is.

inline constexpr std::uint64_t kSegmentMagic = 0x4745'5350'5249'4331;  // "1CIRPSEG"
inline constexpr std::uint32_t kBatchMagic = 0x4843'5442;              // "BTCH"
inline constexpr std::uint64_t kMarkOffset = 512;
inline constexpr std::uint64_t kFirstBatch = kPage;

struct SegmentHeader {
  std::uint64_t magic;
  std::uint64_t checksum;  ///< Of what follows, seeded with Place::kSegmentHeader and the number.
  std::uint64_t pool_id;
  std::uint64_t segment;
  std::uint64_t generation;
  std::uint64_t incarnation;
  std::uint64_t sequence;
  std::uint32_t shard;
  std::uint32_t reserved;
};
static_assert(sizeof(SegmentHeader) == 64);

struct BatchHeader {
  std::uint64_t checksum;  ///< Of what follows, seeded with LogSeed(Place::kBatch, offset).
  std::uint32_t magic;
  std::uint32_t bytes;  ///< Of the batch, header and padding included; a multiple of 64.
  std::uint32_t count;  ///< Of entries; at least 1.
  std::uint32_t mark;   ///< All of the segment before it was on the medium when this was written.
  std::uint64_t reserved;
};
static_assert(sizeof(BatchHeader) == 32);

enum class EntryKind : std::uint8_t {
  kObject = 1,
  kGone = 2,  ///< The key was dropped.
  kRow = 3,   ///< Of a whole row: what is older than `hide_below` is gone; the row may expire.
};
// A kGone entry has neither meta nor data; a kRow entry has no column and no meta. Only a kObject
// entry has an extent or a payload checksum.

// What a flag says stands in the optional fields, in this order, 8 bytes each (the request id 16),
// directly after the header.
inline constexpr std::uint8_t kHasColumn = 1;
inline constexpr std::uint8_t kHasExpiry = 2;           ///< Milliseconds since 1970.
inline constexpr std::uint8_t kHasRequestId = 4;        ///< Client, sequence.
inline constexpr std::uint8_t kHasPayloadChecksum = 8;  ///< Of the data alone.
inline constexpr std::uint8_t kHasExtent = 16;          ///< The number of the extent with the data.
inline constexpr std::uint8_t kCopied = 32;             ///< By the cleaner, version and all.
inline constexpr std::uint8_t kKnownFlags = 63;

struct EntryHeader {
  std::uint64_t checksum;    ///< Of the entry from here on without data that has its own checksum;
                             ///< seeded with LogSeed(Place::kEntry, offset).
  std::uint64_t counter;     ///< Version: (epoch, counter).
  std::uint64_t data_bytes;  ///< Up to DataObject::kMaxDataBytes.
  std::uint32_t epoch;
  std::uint32_t bucket;
  std::uint32_t meta_bytes;
  std::uint16_t row_bytes;
  std::uint16_t column_bytes;
  std::uint16_t slot;
  std::uint16_t type;
  std::uint8_t kind;  ///< An EntryKind.
  std::uint8_t flags;
  std::uint16_t reserved;
};
static_assert(sizeof(EntryHeader) == 48 && offsetof(EntryHeader, epoch) == 24 &&
              offsetof(EntryHeader, row_bytes) == 36 && offsetof(EntryHeader, kind) == 44);
// After the optional fields: row (1 byte at least), column, meta, data (unless in an extent),
// padding with zeros to 8 bytes. The checksum covers the padding too; data in place with a checksum
// of its own, and the padding after that, it leaves out. After the last entry a batch is padded
// with zeros to 64.

/// The data of a kRow entry. What it hides never grows less from one kRow entry of a row to the
/// next: one that only changes the expiry repeats what the one before hid.
struct RowRecord {
  std::uint64_t hide_counter;  ///< With hide_epoch: entries of the row of a lower version are gone.
  std::uint32_t hide_epoch;
  std::uint32_t reserved;
};
static_assert(sizeof(RowRecord) == 16);

/// Data in place of at least so many bytes has a checksum of its own, so that looking at the entry
/// does not read it all; smaller data in place never has. Data in an extent may have one.
inline constexpr std::uint64_t kPayloadChecksumBytes = 4096;

// ---- Extents
// -------------------------------------------------------------------------------------
//
// The data of one large object, from offset 0, so that it can be mapped and viewed; then, at the
// next multiple of 8, its key (row, column), padded to 8, and the trailer. The entry in the log is
// what makes it part of the pool; the trailer tells a recovery which key to ask whether it still
// is.

inline constexpr std::uint64_t kExtentMagic = 0x3154'5845'5249'4331;  // "1CIREXT1"

struct ExtentTrailer {
  std::uint64_t magic;
  std::uint64_t checksum;  ///< Of the key and of what follows; Place::kExtentTrailer, the number.
  std::uint64_t pool_id;
  std::uint64_t number;
  std::uint64_t data_bytes;
  std::uint32_t bucket;
  std::uint16_t row_bytes;
  std::uint16_t column_bytes;
  std::uint32_t has_column;
  std::uint32_t reserved;
  std::uint64_t reserved2;
};
static_assert(sizeof(ExtentTrailer) == 64);

// ---- Index region
// --------------------------------------------------------------------------------
//
//   0      index header (4096 bytes)
//   4096   segment words, 16 bytes each: how far it is merged, its live bytes; padded to a page
//   then   slot words, 8 bytes each (16384)
//   then   the heap, in lines of 64 bytes: buckets, tables, row nodes
//
// All of it can be made again from the log. Which lines are in use is not recorded: an open walks
// the tables.

inline constexpr std::uint64_t kIndexMagic = 0x3158'4449'5249'4331;  // "1CIRIDX1"

struct IndexHeader {
  std::uint64_t magic;
  std::uint64_t checksum;  ///< Of what follows, seeded with Place::kIndexHeader.
  std::uint64_t pool_id;
  std::uint64_t index_bytes;
  std::uint64_t segments;
};
static_assert(sizeof(IndexHeader) == 40);

struct SegmentWords {
  std::uint64_t merged;  ///< Low 32 bits: all before it is in the index. High: of the generation.
  std::uint64_t live_bytes;  ///< Of entries the index leads to. A hint: exact after a rebuild.
};
static_assert(sizeof(SegmentWords) == 16);

/// One line: seven cells and the link to the next bucket (its offset; 0: none).
struct IndexBucket {
  std::uint64_t cells[7];
  std::uint64_t next;
};
static_assert(sizeof(IndexBucket) == kLine);

// A cell: 0 when empty, else fingerprint (16 bits), kind (2), place in units of 8 bytes (46).
enum class CellKind : std::uint64_t {
  kEntry = 1,    ///< An entry of the log, whatever its kind; of a row without columns, or a column.
  kRowNode = 2,  ///< A RowNode of the index.
};

// A table word: 0 for no table, else generation (18 bits; raised with each new table), log2 of the
// number of buckets (6), place in units of 64 bytes (40).

/// A row that has (or had) columns or a kRow entry.
struct RowNode {
  std::uint64_t row_entry;  ///< Location of its newest kRow entry; 0: none.
  std::uint64_t object;     ///< Location of the entry without column; 0: none.
  std::uint64_t table;      ///< Table word of its columns.
  std::uint64_t row_hash;
  std::uint32_t bucket;
  std::uint16_t row_bytes;
  std::uint16_t reserved;
  std::uint64_t reserved2;
  // The row's name follows; padded to lines.
};
static_assert(sizeof(RowNode) == 48);

struct IndexLayout {
  std::uint64_t segments = 0;

  constexpr std::uint64_t segment_words(std::uint64_t segment) const {
    return kPage + segment * sizeof(SegmentWords);
  }
  constexpr std::uint64_t slot_word(std::uint32_t slot) const {
    return AlignUp(segment_words(segments), kPage) + slot * sizeof(std::uint64_t);
  }
  constexpr std::uint64_t heap() const { return slot_word(kSlotCount); }
};

}  // namespace cirein::dpm
