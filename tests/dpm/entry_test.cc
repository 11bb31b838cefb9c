// SPDX-License-Identifier: Apache-2.0
#include "dpm/entry.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/data_object.h"

#include "base/random.h"
#include "support/seed.h"

namespace cirein::dpm {
namespace {

constexpr std::uint64_t kPoolId = 0x1234'5678'9ABC'DEF0;
constexpr std::uint64_t kOffset = 4096;

std::uint64_t Seed() { return SegmentSeed(kPoolId, 7, 3); }

std::vector<std::byte> Bytes(std::size_t size, std::uint64_t seed = 1) {
  std::vector<std::byte> bytes(size);
  Random random(seed);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

KeyView ViewOf(std::string_view row) { return KeyView(Bucket(5), row); }
KeyView ViewOf(std::string_view row, std::string_view column) {
  KeyView key = ViewOf(row);
  key.column = column;
  key.has_column = true;
  return key;
}

EntryFields FieldsOf(const KeyView& key) {
  EntryFields fields{.key = key};
  fields.slot = 77;
  fields.version = {9, 1234567};
  return fields;
}

// Entries are 8-byte aligned, as in the log; vectors of bytes are, too.
std::vector<std::byte> Written(const EntryFields& fields, std::uint64_t offset = kOffset) {
  // A fill other than 0 shows padding that is not written.
  std::vector<std::byte> bytes(EntryBytes(fields), std::byte{0xAA});
  WriteEntry(fields, Seed(), offset, bytes.data());
  return bytes;
}

bool Parses(ByteSpan bytes, std::uint64_t seed = Seed(), std::uint64_t offset = kOffset) {
  EntryView view;
  return EntryView::Parse(bytes, seed, offset, &view);
}

bool ParsesIntact(ByteSpan bytes) {
  EntryView view;
  return EntryView::Parse(bytes, Seed(), kOffset, &view) && view.PayloadIntact();
}

bool Same(ByteSpan a, ByteSpan b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

void ExpectRoundTrip(const EntryFields& fields) {
  const std::vector<std::byte> bytes = Written(fields);
  EntryView view;
  ASSERT_TRUE(EntryView::Parse(bytes, Seed(), kOffset, &view));
  EXPECT_EQ(view.size(), bytes.size());
  EXPECT_EQ(view.size() % 8, 0U);
  EXPECT_EQ(view.kind(), fields.kind);
  EXPECT_EQ(view.version(), fields.version);
  EXPECT_EQ(view.slot(), fields.slot);
  EXPECT_EQ(view.type(), fields.type);
  EXPECT_EQ(view.bucket(), fields.key.bucket);
  EXPECT_EQ(view.row(), fields.key.row);
  EXPECT_EQ(view.has_column(), fields.key.has_column);
  EXPECT_EQ(view.column(), fields.key.column);
  EXPECT_EQ(view.key().row, fields.key.row);
  EXPECT_EQ(view.key().column, fields.key.column);
  EXPECT_EQ(view.key().has_column, fields.key.has_column);
  EXPECT_EQ(view.key().row_hash, fields.key.row_hash);
  EXPECT_EQ(view.expiry_ms(), fields.expiry_ms);
  EXPECT_EQ(view.request_id(), fields.request_id);
  EXPECT_EQ(view.extent(), fields.extent);
  EXPECT_EQ(view.has(kCopied), fields.copied);
  EXPECT_TRUE(Same(view.meta(), fields.meta));
  EXPECT_TRUE(view.PayloadIntact());
  if (fields.extent) {
    EXPECT_EQ(view.data_bytes(), fields.extent_bytes);
    EXPECT_TRUE(view.data().empty());
    EXPECT_EQ(view.payload_checksum(), fields.payload_checksum);
    return;
  }
  EXPECT_EQ(view.data_bytes(), fields.data.size());
  EXPECT_TRUE(Same(view.data(), fields.data));
  EXPECT_EQ(view.payload_checksum().has_value(), fields.data.size() >= kPayloadChecksumBytes);
  EXPECT_EQ(view.payload_checksum().value_or(PayloadChecksum(fields.data)),
            PayloadChecksum(fields.data));
}

TEST(EntryTest, EveryCombinationOfOptionalFieldsRoundTrips) {
  const std::vector<std::byte> small = Bytes(33);
  const std::vector<std::byte> large = Bytes(kPayloadChecksumBytes + 3);
  for (unsigned mask = 0; mask < 256; ++mask) {
    SCOPED_TRACE(mask);
    EntryFields fields = FieldsOf((mask & 1) != 0 ? ViewOf("row", "column") : ViewOf("row"));
    if ((mask & 2) != 0) fields.expiry_ms = 1'700'000'000'000 + mask;
    if ((mask & 4) != 0) fields.request_id = RequestId{.client = 11, .sequence = 22 + mask};
    if ((mask & 8) != 0) fields.copied = true;
    if ((mask & 16) != 0) fields.meta = small;
    if ((mask & 32) != 0) fields.type = 0xBEEF;
    if ((mask & 64) != 0) {
      fields.extent = 0xFEDC'BA98;
      fields.extent_bytes = std::uint64_t{1} << 40;
      if ((mask & 128) != 0) fields.payload_checksum = 42;
    } else {
      fields.data = (mask & 128) != 0 ? large : small;
    }
    ExpectRoundTrip(fields);
  }
}

TEST(EntryTest, KeysOfEveryLengthAndColumnsThatAreEmptyOrAbsentRoundTrip) {
  const std::string longest(kMaxRowBytes, 'x');
  for (std::size_t bytes = 1; bytes <= 40; ++bytes) {
    ExpectRoundTrip(FieldsOf(ViewOf(std::string_view(longest).substr(0, bytes))));
    ExpectRoundTrip(FieldsOf(ViewOf("r", std::string_view(longest).substr(0, bytes))));
  }
  ExpectRoundTrip(FieldsOf(ViewOf("r", "")));
  ExpectRoundTrip(FieldsOf(ViewOf(longest, longest)));
  EXPECT_NE(Written(FieldsOf(ViewOf("r", ""))), Written(FieldsOf(ViewOf("r"))));
}

TEST(EntryTest, DataOfEveryLengthRoundTrips) {
  const std::vector<std::byte> most = Bytes(std::size_t{1} << 20);
  std::vector<std::size_t> sizes = {kPayloadChecksumBytes - 1, kPayloadChecksumBytes,
                                    kPayloadChecksumBytes + 1, 65'536,
                                    most.size() - 1,           most.size()};
  for (std::size_t size = 0; size <= 300; ++size) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    SCOPED_TRACE(size);
    EntryFields fields = FieldsOf(ViewOf("row"));
    fields.data = ByteSpan(most).first(size);
    ExpectRoundTrip(fields);
  }
  EntryFields fields = FieldsOf(ViewOf("row"));
  fields.meta = ByteSpan(most).first(DataObject::kMaxMetaBytes);
  ExpectRoundTrip(fields);
}

TEST(EntryTest, GoneAndRowEntriesRoundTrip) {
  EntryFields gone = FieldsOf(ViewOf("row", "c"));
  gone.kind = EntryKind::kGone;
  gone.request_id = RequestId{.client = 1, .sequence = 2};
  ExpectRoundTrip(gone);

  const RowRecord record{.hide_counter = 77, .hide_epoch = 8, .reserved = 0};
  EntryFields row = FieldsOf(ViewOf("row"));
  row.kind = EntryKind::kRow;
  row.expiry_ms = 5;
  row.data = std::as_bytes(std::span(&record, 1));
  ExpectRoundTrip(row);
  const std::vector<std::byte> bytes = Written(row);
  EXPECT_EQ(EntryView::Trust(bytes.data()).hide_below(), (Version{8, 77}));
}

TEST(EntryTest, TheBytesAreTheFormat) {
  const std::vector<std::byte> bytes = Written(FieldsOf(ViewOf("ab", "c")));
  ASSERT_EQ(bytes.size(), 56U);
  // The row follows the header, padding is zeros.
  EXPECT_EQ(std::to_integer<char>(bytes[48]), 'a');
  EXPECT_EQ(std::to_integer<char>(bytes[50]), 'c');
  for (std::size_t i = 51; i < 56; ++i) EXPECT_EQ(bytes[i], std::byte{0});
  // A pool that was written yesterday must be read tomorrow: this number never changes.
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data(), sizeof checksum);
  EXPECT_EQ(checksum, 0x926A844926427303U);
}

TEST(EntryTest, EveryFlippedBitIsNoticed) {
  const std::vector<std::byte> data = Bytes(21);
  EntryFields fields = FieldsOf(ViewOf("row", "column"));
  fields.expiry_ms = 99;
  fields.request_id = RequestId{.client = 1, .sequence = 2};
  fields.meta = ByteSpan(data).first(5);
  fields.data = data;
  std::vector<std::byte> bytes = Written(fields);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const std::byte flip = std::byte{1} << (bit % 8);
    bytes[bit / 8] ^= flip;
    EXPECT_FALSE(Parses(bytes)) << "bit " << bit;
    bytes[bit / 8] ^= flip;
  }
  EXPECT_TRUE(Parses(bytes));
}

TEST(EntryTest, FlipsOfALargePayloadAreNoticedByItsOwnChecksumAlone) {
  const std::vector<std::byte> data = Bytes(kPayloadChecksumBytes + 1);
  EntryFields fields = FieldsOf(ViewOf("row"));
  fields.data = data;
  std::vector<std::byte> bytes = Written(fields);
  const std::size_t data_begin = 48 + 8 + 3;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const std::byte flip = std::byte{1} << (bit % 8);
    bytes[bit / 8] ^= flip;
    EXPECT_EQ(Parses(bytes), bit / 8 >= data_begin) << "bit " << bit;
    EXPECT_FALSE(ParsesIntact(bytes)) << "bit " << bit;
    bytes[bit / 8] ^= flip;
  }
  EXPECT_TRUE(ParsesIntact(bytes));
}

TEST(EntryTest, AnEntryIsValidInItsPlaceAlone) {
  const std::vector<std::byte> bytes = Written(FieldsOf(ViewOf("row")));
  EXPECT_TRUE(Parses(bytes));
  EXPECT_FALSE(Parses(bytes, Seed(), kOffset + 8));
  EXPECT_FALSE(Parses(bytes, Seed(), kOffset + 4));
  EXPECT_FALSE(Parses(bytes, SegmentSeed(kPoolId, 7, 4)));
  EXPECT_FALSE(Parses(bytes, SegmentSeed(kPoolId, 7, 2)));
  EXPECT_FALSE(Parses(bytes, SegmentSeed(kPoolId, 8, 3)));
  EXPECT_FALSE(Parses(bytes, SegmentSeed(kPoolId + 1, 7, 3)));
  EXPECT_FALSE(Parses(bytes, SegmentSeed(kPoolId, 3, 7)));
}

TEST(EntryTest, EveryTruncationIsNoticed) {
  const std::vector<std::byte> data = Bytes(kPayloadChecksumBytes);
  EntryFields fields = FieldsOf(ViewOf("row", "column"));
  fields.meta = ByteSpan(data).first(9);
  for (const std::size_t data_bytes : {std::size_t{0}, std::size_t{50}, data.size()}) {
    fields.data = ByteSpan(data).first(data_bytes);
    const std::vector<std::byte> bytes = Written(fields);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      // A copy of its own, so that a read beyond the end is one beyond the allocation.
      const std::vector<std::byte> cut(bytes.begin(),
                                       bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(Parses(cut)) << size;
    }
  }
}

// ---- Entries with a right checksum that break a rule ----

template <typename Change>
bool ParsesAfter(const EntryFields& fields, const Change& change) {
  std::vector<std::byte> bytes = Written(fields);
  // Room for what a changed header may claim.
  bytes.resize(bytes.size() + 256);
  EntryHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  change(&header);
  std::memcpy(bytes.data(), &header, sizeof header);
  // The checksum that the entry would have by each of the sizes it may be thought to have.
  for (std::size_t end = sizeof header; end <= bytes.size(); ++end) {
    header.checksum =
        Checksum64(ByteSpan(bytes).first(end).subspan(8), LogSeed(Seed(), Place::kEntry, kOffset));
    std::memcpy(bytes.data(), &header.checksum, sizeof header.checksum);
    if (Parses(bytes)) return true;
  }
  return false;
}

TEST(EntryTest, EntriesThatBreakARuleAreRefusedThoughTheirChecksumIsRight) {
  const EntryFields object = FieldsOf(ViewOf("row"));
  const EntryFields column = FieldsOf(ViewOf("row", "column"));
  EntryFields gone = FieldsOf(ViewOf("row"));
  gone.kind = EntryKind::kGone;
  const RowRecord record{};
  EntryFields row = FieldsOf(ViewOf("row"));
  row.kind = EntryKind::kRow;
  row.data = std::as_bytes(std::span(&record, 1));
  const auto same = [](EntryHeader*) {};
  for (const EntryFields& fields : {object, column, gone, row}) {
    EXPECT_TRUE(ParsesAfter(fields, same));
    EXPECT_FALSE(ParsesAfter(fields, [](EntryHeader* h) { h->kind = 0; }));
    EXPECT_FALSE(ParsesAfter(fields, [](EntryHeader* h) { h->kind = 4; }));
    EXPECT_FALSE(ParsesAfter(fields, [](EntryHeader* h) { h->flags |= 64; }));
    EXPECT_FALSE(ParsesAfter(fields, [](EntryHeader* h) { h->flags |= 128; }));
    EXPECT_FALSE(ParsesAfter(fields, [](EntryHeader* h) { h->reserved = 1; }));
    EXPECT_FALSE(ParsesAfter(fields, [](EntryHeader* h) { h->slot = kSlotCount; }));
    EXPECT_FALSE(ParsesAfter(fields, [](EntryHeader* h) { h->row_bytes = 0; }));
    EXPECT_FALSE(
        ParsesAfter(fields, [](EntryHeader* h) { h->meta_bytes = DataObject::kMaxMetaBytes + 1; }));
    for (const std::uint64_t bytes : {DataObject::kMaxDataBytes + 1, UINT64_MAX - 7, UINT64_MAX,
                                      UINT64_MAX - 100, std::uint64_t{1} << 46}) {
      EXPECT_FALSE(ParsesAfter(fields, [&](EntryHeader* h) { h->data_bytes = bytes; }));
    }
    EXPECT_FALSE(ParsesAfter(fields, [](EntryHeader* h) { h->flags |= kHasPayloadChecksum; }));
  }
  EXPECT_FALSE(ParsesAfter(object, [](EntryHeader* h) { h->column_bytes = 1; }));
  EXPECT_FALSE(ParsesAfter(gone, [](EntryHeader* h) { h->meta_bytes = 1; }));
  EXPECT_FALSE(ParsesAfter(gone, [](EntryHeader* h) { h->data_bytes = 1; }));
  EXPECT_FALSE(ParsesAfter(gone, [](EntryHeader* h) { h->flags |= kHasExtent; }));
  EXPECT_FALSE(ParsesAfter(row, [](EntryHeader* h) { h->flags |= kHasExtent; }));
  EXPECT_FALSE(ParsesAfter(row, [](EntryHeader* h) { h->flags |= kHasColumn; }));
  EXPECT_FALSE(ParsesAfter(row, [](EntryHeader* h) { h->meta_bytes = 1; }));
  EXPECT_FALSE(ParsesAfter(row, [](EntryHeader* h) { h->data_bytes = 15; }));
  EXPECT_FALSE(ParsesAfter(row, [](EntryHeader* h) { h->data_bytes = 17; }));
  EXPECT_TRUE(ParsesAfter(object, [](EntryHeader* h) { h->data_bytes = 17; }));

  const std::vector<std::byte> data = Bytes(kPayloadChecksumBytes);
  EntryFields large = FieldsOf(ViewOf("row"));
  large.data = data;
  EXPECT_FALSE(ParsesAfter(large, [](EntryHeader* h) { h->flags = 0; }));
}

// ---- Batches ----

std::vector<std::byte> SmallBatch(std::uint64_t mark = kOffset) {
  BatchBuilder builder;
  builder.Begin(Seed(), kOffset, 1 << 20);
  const std::vector<std::byte> data = Bytes(30);
  for (const std::string_view row : {"a", "bb", "ccc"}) {
    EntryFields fields = FieldsOf(ViewOf(row));
    fields.data = ByteSpan(data).first(row.size() * 7);
    builder.Add(fields);
  }
  const ByteSpan bytes = builder.Finish(mark);
  return {bytes.begin(), bytes.end()};
}

bool BatchParses(ByteSpan bytes, std::uint64_t seed = Seed(), std::uint64_t offset = kOffset) {
  BatchView view;
  return BatchView::Parse(bytes, seed, offset, BatchView::Payloads::kCheck, &view);
}

TEST(BatchTest, WhatWasAddedIsThere) {
  const std::vector<std::byte> bytes = SmallBatch(4032);
  ASSERT_EQ(bytes.size() % 64, 0U);
  BatchView view;
  ASSERT_TRUE(BatchView::Parse(bytes, Seed(), kOffset, BatchView::Payloads::kCheck, &view));
  EXPECT_EQ(view.header().count, 3U);
  EXPECT_EQ(view.header().mark, 4032U);
  EXPECT_EQ(view.header().bytes, bytes.size());
  std::vector<std::string> rows;
  std::vector<std::uint64_t> places;
  view.ForEach([&](const EntryView& entry, std::uint64_t offset) {
    rows.emplace_back(entry.row());
    places.push_back(offset);
    EXPECT_TRUE(Parses(ByteSpan(bytes).subspan(offset), Seed(), kOffset + offset));
  });
  EXPECT_EQ(rows, (std::vector<std::string>{"a", "bb", "ccc"}));
  EXPECT_EQ(places, (std::vector<std::uint64_t>{32, 32 + 56, 32 + 56 + 64}));
  // What follows in the log is not looked at.
  std::vector<std::byte> longer = bytes;
  longer.resize(longer.size() + 100, std::byte{0xFF});
  EXPECT_TRUE(BatchParses(longer));
}

TEST(BatchTest, AddSaysWhereAndStopsAtTheCapacity) {
  BatchBuilder builder;
  const EntryFields fields = FieldsOf(ViewOf("r"));  // 56 bytes.
  builder.Begin(Seed(), kOffset, 191);               // Two lines and a bit.
  EXPECT_EQ(builder.Add(fields), kOffset + 32);
  EXPECT_EQ(builder.bytes(), 128U);
  EXPECT_EQ(builder.Add(fields), std::nullopt);
  EXPECT_EQ(builder.count(), 1U);
  EXPECT_EQ(builder.used_bytes(), 88U);
  EXPECT_TRUE(BatchParses(builder.Finish(0)));

  builder.Begin(Seed(), kOffset, 192);
  EXPECT_EQ(builder.Add(fields), kOffset + 32);
  EXPECT_EQ(builder.Add(fields), kOffset + 88);
  EXPECT_EQ(builder.Add(fields), std::nullopt);
  EXPECT_TRUE(BatchParses(builder.Finish(0)));

  builder.Begin(Seed(), kOffset, 64);
  EXPECT_EQ(builder.Add(fields), std::nullopt);
  builder.Begin(Seed(), kOffset, 0);
  EXPECT_EQ(builder.Add(fields), std::nullopt);
}

TEST(BatchTest, ABuilderUsedAgainLeavesNothingOfBefore) {
  BatchBuilder builder;
  const std::vector<std::byte> data(1000, std::byte{0xFF});
  EntryFields large = FieldsOf(ViewOf("large"));
  large.data = data;
  builder.Begin(Seed(), kOffset, 1 << 20);
  builder.Add(large);
  (void)builder.Finish(0);
  const EntryFields small = FieldsOf(ViewOf("s"));
  builder.Begin(Seed(), kOffset, 1 << 20);
  builder.Add(small);
  const std::uint64_t used_bytes = builder.used_bytes();
  builder.Add(large);
  builder.Add(large);
  builder.Rollback(1, used_bytes);
  const ByteSpan bytes = builder.Finish(0);

  BatchBuilder fresh;
  fresh.Begin(Seed(), kOffset, 1 << 20);
  fresh.Add(small);
  EXPECT_TRUE(Same(bytes, fresh.Finish(0)));
  EXPECT_TRUE(BatchParses(bytes));
}

TEST(BatchTest, AnEntryBeyondEveryLimitDoesNotFit) {
  BatchBuilder builder;
  builder.Begin(Seed(), kOffset, UINT64_MAX);
  const std::byte one{1};
  EntryFields fields = FieldsOf(ViewOf("r"));
  fields.data = ByteSpan(&one, std::size_t{1} << 45);  // NOLINT: never read.
  fields.payload_checksum = 0;
  EXPECT_EQ(builder.Add(fields), std::nullopt);
}

TEST(BatchTest, EveryFlippedBitIsNoticed) {
  std::vector<std::byte> bytes = SmallBatch();
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const std::byte flip = std::byte{1} << (bit % 8);
    bytes[bit / 8] ^= flip;
    EXPECT_FALSE(BatchParses(bytes)) << "bit " << bit;
    bytes[bit / 8] ^= flip;
  }
  EXPECT_TRUE(BatchParses(bytes));
}

TEST(BatchTest, ABatchIsValidInItsPlaceAloneAndWholeAlone) {
  const std::vector<std::byte> bytes = SmallBatch(0);
  EXPECT_FALSE(BatchParses(bytes, Seed(), kOffset + 64));
  EXPECT_FALSE(BatchParses(bytes, SegmentSeed(kPoolId, 7, 4)));
  EXPECT_FALSE(BatchParses(bytes, SegmentSeed(kPoolId, 6, 3)));
  EXPECT_FALSE(BatchParses(bytes, SegmentSeed(~kPoolId, 7, 3)));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::byte> cut(bytes.begin(),
                                     bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(BatchParses(cut)) << size;
  }
}

template <typename Change>
bool BatchParsesAfter(const Change& change) {
  std::vector<std::byte> bytes = SmallBatch();
  bytes.resize(bytes.size() + 256);
  BatchHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  change(&header);
  std::memcpy(bytes.data(), &header, sizeof header);
  header.checksum = Checksum64(ByteSpan(bytes).first(sizeof header).subspan(8),
                               LogSeed(Seed(), Place::kBatch, kOffset));
  std::memcpy(bytes.data(), &header.checksum, sizeof header.checksum);
  return BatchParses(bytes);
}

TEST(BatchTest, HeadersThatLieAreRefusedThoughTheirChecksumIsRight) {
  EXPECT_TRUE(BatchParsesAfter([](BatchHeader*) {}));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { --h->count; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { ++h->count; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { h->count = 0; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { h->count = UINT32_MAX; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { h->bytes += 64; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { h->bytes -= 64; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { h->bytes += 8; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { h->bytes = 0; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { h->bytes = UINT32_MAX - 63; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { h->mark = kOffset + 1; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { h->reserved = 1; }));
  EXPECT_FALSE(BatchParsesAfter([](BatchHeader* h) { ++h->magic; }));
}

TEST(BatchTest, RandomBatchesRoundTripAndNoDamageIsTakenForOne) {
  Random random(test::Seed());
  const std::vector<std::byte> pool = Bytes(10'000);
  for (int round = 0; round < 300; ++round) {
    BatchBuilder builder;
    builder.Begin(Seed(), kOffset, 1 << 16);
    std::vector<std::pair<std::string, std::size_t>> expected;
    const std::uint64_t adds = 1 + random() % 20;
    for (std::uint64_t i = 0; i < adds; ++i) {
      const std::string row(1 + random() % 50, static_cast<char>('a' + i));
      EntryFields fields = FieldsOf(ViewOf(row));
      if (random() % 2 == 0) fields.expiry_ms = random();
      fields.data = ByteSpan(pool).first(random() % (random() % 5 == 0 ? 10'000 : 100));
      if (builder.Add(fields)) expected.emplace_back(row, fields.data.size());
    }
    const ByteSpan finished = builder.Finish(0);
    std::vector<std::byte> bytes(finished.begin(), finished.end());
    BatchView view;
    ASSERT_TRUE(BatchView::Parse(bytes, Seed(), kOffset, BatchView::Payloads::kCheck, &view));
    std::vector<std::pair<std::string, std::size_t>> found;
    view.ForEach([&](const EntryView& entry, std::uint64_t) {
      found.emplace_back(entry.row(), entry.data().size());
    });
    ASSERT_EQ(found, expected);
    // A burst of damage.
    const std::size_t begin = random() % bytes.size();
    const std::size_t end = std::min<std::size_t>(bytes.size(), begin + 1 + random() % 64);
    bool changed = false;
    for (std::size_t i = begin; i < end; ++i) {
      const std::byte old = bytes[i];
      bytes[i] = static_cast<std::byte>(random());
      changed |= bytes[i] != old;
    }
    ASSERT_EQ(BatchParses(bytes), !changed);
  }
}

}  // namespace
}  // namespace cirein::dpm
