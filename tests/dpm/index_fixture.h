// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dpm/index.h"

/// What the tests of the index have in common: memory as a region, a log that is only ever appended
/// to, and words to write keys with.
namespace cirein::dpm::test {

constexpr std::uint64_t kSegmentBytes = std::uint64_t{64} << 10;
constexpr std::uint64_t kPoolId = 77;

/// Plain memory that begins at a page.
class Memory {
 public:
  explicit Memory(std::uint64_t bytes)
      : bytes_(static_cast<std::byte*>(std::aligned_alloc(kPage, AlignUp(bytes, kPage)))) {
    std::memset(bytes_.get(), 0, bytes);
  }
  std::byte* get() const { return bytes_.get(); }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
};

/// A region in memory; persisting it does nothing.
class MemoryRegion final : public Region {
 public:
  explicit MemoryRegion(std::uint64_t bytes) : Region("index", bytes), memory_(bytes) {
    data_ = stores_ = memory_.get();
  }
  Status Write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (Status status = CheckRange(offset, bytes.size()); !status.ok()) return status;
    std::memcpy(stores_ + offset, bytes.data(), bytes.size());
    return OkStatus();
  }
  Status Persist(std::uint64_t, std::uint64_t, PersistSite) override { return OkStatus(); }

 private:
  Memory memory_;
};

/// A key by its parts, owning nothing.
inline KeyView RowKey(std::string_view row) { return {Bucket(5), row}; }
inline KeyView ColumnKey(std::string_view row, std::string_view column) {
  KeyView key(Bucket(5), row);
  key.column = column;
  key.has_column = true;
  return key;
}

/// A log in memory whose entries stay.
class Log {
 public:
  explicit Log(std::uint64_t segments)
      : segments_(segments), memory_(segments * kSegmentBytes), end_(kFirstBatch) {}

  Index::Op Add(const EntryFields& fields) {
    const std::uint64_t size = EntryBytes(fields);
    if (end_ % kSegmentBytes + size > kSegmentBytes || end_ % kSegmentBytes == 0) {
      end_ = AlignUp(end_, kSegmentBytes) + kFirstBatch;
    }
    if (end_ + size > segments_ * kSegmentBytes) std::abort();  // The test's log is too small.
    std::byte* const to = memory_.get() + end_;
    WriteEntry(fields, 1, end_, to);
    Index::Op op;
    op.entry = EntryView::Trust(to);
    op.location = {end_};
    op.row_hash = fields.key.row_hash;
    end_ += size;
    return op;
  }
  Index::Op Object(const KeyView& key, std::uint64_t version, std::uint16_t slot = 1) {
    return Add(Fields(EntryKind::kObject, key, version, slot));
  }
  Index::Op Gone(const KeyView& key, std::uint64_t version, std::uint16_t slot = 1) {
    return Add(Fields(EntryKind::kGone, key, version, slot));
  }
  /// A row entry that hides what is older than `hide_below`.
  Index::Op Row(std::string_view row, std::uint64_t version, std::uint64_t hide_below,
                std::uint16_t slot = 1) {
    RowRecord record{};
    record.hide_counter = hide_below;
    record.hide_epoch = 3;
    EntryFields fields = Fields(EntryKind::kRow, RowKey(row), version, slot);
    fields.data = std::as_bytes(std::span(&record, 1));
    return Add(fields);
  }
  /// The same entry at another place, as the cleaner would write it.
  Index::Op Copy(const EntryView& entry) {
    EntryFields fields = Fields(entry.kind(), entry.key(), entry.version().counter, entry.slot());
    fields.data = entry.data();
    fields.copied = true;
    return Add(fields);
  }

  const std::byte* bytes() const { return memory_.get(); }
  std::byte* mutable_bytes() { return memory_.get(); }
  std::uint64_t segments() const { return segments_; }
  std::uint64_t size() const { return segments_ * kSegmentBytes; }
  void Restart() { end_ = kFirstBatch; }

 private:
  static EntryFields Fields(EntryKind kind, const KeyView& key, std::uint64_t version,
                            std::uint16_t slot) {
    EntryFields fields{.key = key};
    fields.kind = kind;
    fields.slot = slot;
    fields.version = {3, version};
    return fields;
  }

  std::uint64_t segments_;
  Memory memory_;
  std::uint64_t end_;
};

/// An index over a log of its own.
class IndexTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kHeapLines = 4096;

  explicit IndexTest(std::uint64_t segments = 64, std::uint64_t heap_lines = kHeapLines)
      : log_(segments), heap_lines_(heap_lines) {
    Format();
  }

  std::uint64_t RegionBytes() const {
    return IndexLayout{log_.segments()}.heap() + heap_lines_ * kLine;
  }
  Index::Options Options() {
    Index::Options options;
    options.log = log_.bytes();
    options.segment_bytes = kSegmentBytes;
    options.pool_id = kPoolId;
    options.segments = log_.segments();
    options.epochs = &epochs_;
    return options;
  }
  void Format() {
    auto region = std::make_unique<MemoryRegion>(RegionBytes());
    region_ = region.get();
    index_ = Index::Format(std::move(region), Options()).value();
  }
  /// A new region with the bytes of this one.
  std::unique_ptr<MemoryRegion> CopyOfRegion() const {
    auto copy = std::make_unique<MemoryRegion>(region_->size());
    EXPECT_TRUE(copy->Write(0, {region_->data(), region_->size()}).ok());
    return copy;
  }
  Result<std::unique_ptr<Index>> OpenCopy() { return Index::Open(CopyOfRegion(), Options()); }

  Index::Outcome Apply(Index::Op op) {
    index_->Apply({&op, 1}, [&](Location location, const EntryView&) {
      superseded_.push_back(location.offset);
    });
    return op.outcome;
  }
  /// The offset Find gives; 0: nothing.
  std::uint64_t At(const KeyView& key, std::uint16_t slot = 1) const {
    const auto found = index_->Find(key, slot);
    return found ? found->location.offset : 0;
  }
  std::uint64_t UsedBytes() {
    index_->Reclaim();
    return index_->GetStats().used_bytes;
  }
  /// What was superseded since the last call.
  std::vector<std::uint64_t> Superseded() { return std::exchange(superseded_, {}); }

  ReadEpochs epochs_;
  Log log_;
  std::uint64_t heap_lines_;
  MemoryRegion* region_ = nullptr;
  std::unique_ptr<Index> index_;
  std::vector<std::uint64_t> superseded_;
};

}  // namespace cirein::dpm::test
