// SPDX-License-Identifier: Apache-2.0
#include "dpm/index_table.h"

#include <bit>

namespace cirein::dpm {
namespace {

// Column tables of up to 2^this buckets are counted when it matters: a count for each would cost
// more memory than most of them have.
constexpr unsigned kCountedAnew = 3;
// A table grows when its overflow buckets are more than a quarter of its own, which random keys
// reach at about six keys a bucket; so it has about three after doubling.
constexpr std::uint64_t kOverflowPart = 4;
constexpr std::uint64_t kKeysAfterGrowing = 5;
// Far below what it has after growing, so that a number of keys that swings rebuilds nothing.
constexpr std::uint64_t kKeysAfterShrinking = 3;
constexpr std::uint64_t kShrinkFromLines = 4;

}  // namespace

// A table that nothing leads to yet.
class IndexTables::Builder {
 public:
  Builder(IndexMemory& memory, unsigned log2) : memory_(memory), log2_(log2) {
    const std::uint64_t lines = std::uint64_t{1} << log2;
    offset_ = memory.Allocate(lines);
    if (offset_ != 0) memory.Clear(offset_, lines * kLine);
  }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;
  ~Builder() {
    if (offset_ == 0) return;
    memory_.Free(offset_, std::uint64_t{1} << log2_);
    for (const std::uint64_t bucket : overflow_) memory_.Free(bucket, 1);
  }

  bool has_room() const { return offset_ != 0; }

  bool Add(std::uint64_t hash, Cell cell) {
    std::uint64_t bucket = offset_ + BucketNumber(hash, log2_) * kLine;
    for (;;) {
      for (unsigned i = 0; i < kCellsPerBucket; ++i) {
        const std::uint64_t offset = bucket + i * sizeof(std::uint64_t);
        if (memory_.Load(offset) != 0) continue;
        memory_.Fill(offset, cell.word());
        ++counts_.keys;
        return true;
      }
      const std::uint64_t next = memory_.Load(bucket + kNextOffset);
      bucket = next != 0 ? next : Lengthen(bucket);
      if (bucket == 0) return false;
    }
  }

  // Persists it and lets the home lead to it.
  TableWord Finish(std::uint64_t home, std::uint64_t generation) {
    memory_.PersistBody(offset_, kLine << log2_);
    for (const std::uint64_t bucket : overflow_) memory_.PersistBody(bucket, kLine);
    const TableWord table = TableWord::Of(generation, log2_, offset_);
    memory_.Link(home, table.word());
    offset_ = 0;
    return table;
  }
  TableCounts counts() const { return {counts_.keys, overflow_.size()}; }

 private:
  std::uint64_t Lengthen(std::uint64_t last) {
    const std::uint64_t bucket = memory_.Allocate(1);
    if (bucket == 0) return 0;
    memory_.Clear(bucket, kLine);
    memory_.Fill(last + kNextOffset, bucket);
    overflow_.push_back(bucket);
    return bucket;
  }

  IndexMemory& memory_;
  const unsigned log2_;
  std::uint64_t offset_ = 0;
  std::vector<std::uint64_t> overflow_;
  TableCounts counts_;
};

IndexTables::IndexTables(IndexMemory& memory, std::uint64_t slot_words)
    : memory_(memory), slot_words_(slot_words), slots_(kSlotCount) {}

TableCounts* IndexTables::Known(std::uint64_t home) {
  if (home - slot_words_ < kSlotCount * sizeof(std::uint64_t)) {
    return &slots_[(home - slot_words_) / sizeof(std::uint64_t)];
  }
  const auto found = columns_.find(home);
  return found == columns_.end() ? nullptr : &found->second;
}

TableCounts IndexTables::Count(std::uint64_t home, TableWord table) {
  if (const TableCounts* known = Known(home)) return *known;
  TableCounts counts;
  for (std::uint64_t i = 0; i < table.buckets(); ++i) {
    const std::uint64_t first = table.offset() + i * kLine;
    for (std::uint64_t bucket = first; bucket != 0; bucket = memory_.Load(bucket + kNextOffset)) {
      if (bucket != first) ++counts.overflow;
      for (unsigned j = 0; j < kCellsPerBucket; ++j) {
        if (memory_.Load(bucket + j * sizeof(std::uint64_t)) != 0) ++counts.keys;
      }
    }
  }
  return counts;
}

void IndexTables::SetCounts(std::uint64_t home, TableWord table, TableCounts counts) {
  if (home - slot_words_ < kSlotCount * sizeof(std::uint64_t)) {
    slots_[(home - slot_words_) / sizeof(std::uint64_t)] = counts;
  } else if (!table.empty() && table.log2() > kCountedAnew) {
    columns_[home] = counts;
  } else {
    columns_.erase(home);
  }
}

std::uint64_t IndexTables::NextGeneration(TableWord old) {
  // A home that had a table before it was empty for a while should not repeat its generation
  // either.
  if (!old.empty()) return old.generation() + 1;
  return ++first_generation_;
}

TableWord IndexTables::Make(Cell cell) {
  const std::uint64_t bucket = memory_.Allocate(1);
  if (bucket == 0) return {};
  memory_.Clear(bucket, kLine);
  memory_.Fill(bucket, cell.word());
  memory_.PersistBody(bucket, kLine);
  return TableWord::Of(NextGeneration({}), 0, bucket);
}

bool IndexTables::Insert(std::uint64_t home, std::uint64_t hash, Cell cell,
                         const CellHasher& hasher) {
  const TableWord table = At(home);
  if (table.empty()) {
    const TableWord made = Make(cell);
    if (made.empty()) return false;
    memory_.Link(home, made.word());
    SetCounts(home, made, {.keys = 1, .overflow = 0});
    return true;
  }
  memory_.BeforeInsert(table.offset());
  std::uint64_t bucket = table.chain(hash);
  for (;;) {
    for (unsigned i = 0; i < kCellsPerBucket; ++i) {
      const std::uint64_t offset = bucket + i * sizeof(std::uint64_t);
      if (memory_.Load(offset) != 0) continue;
      memory_.Link(offset, cell.word());
      if (TableCounts* known = Known(home)) ++known->keys;
      return true;
    }
    const std::uint64_t next = memory_.Load(bucket + kNextOffset);
    if (next == 0) return InsertIntoFull(home, hash, cell, bucket, hasher);
    bucket = next;
  }
}

bool IndexTables::InsertIntoFull(std::uint64_t home, std::uint64_t hash, Cell cell,
                                 std::uint64_t last, const CellHasher& hasher) {
  const TableWord table = At(home);
  const TableCounts counts = Count(home, table);
  if ((counts.overflow + 1) * kOverflowPart > table.buckets()) {
    unsigned log2 = table.log2() + 1;
    while (counts.keys >> log2 >= kKeysAfterGrowing) ++log2;
    if (Rebuild(home, log2, {hash, cell}, hasher)) return true;
  }
  return Chain(home, cell, last);
}

bool IndexTables::Chain(std::uint64_t home, Cell cell, std::uint64_t last) {
  const std::uint64_t bucket = memory_.Allocate(1);
  if (bucket == 0) return false;
  memory_.Clear(bucket, kLine);
  memory_.Fill(bucket, cell.word());
  memory_.PersistBody(bucket, kLine);
  memory_.Link(last + kNextOffset, bucket);
  if (TableCounts* known = Known(home)) {
    ++known->keys;
    ++known->overflow;
  }
  return true;
}

bool IndexTables::Rebuild(std::uint64_t home, unsigned log2, const Added& added,
                          const CellHasher& hasher) {
  // With overflow buckets it needs a little more; to fail halfway again and again would cost too
  // much.
  const std::uint64_t lines = std::uint64_t{1} << log2;
  const IndexHeap& heap = memory_.heap();
  if (heap.lines() - heap.used() < lines + lines / kOverflowPart) memory_.Reclaim();
  if (heap.lines() - heap.used() < lines + lines / kOverflowPart) return false;
  Builder builder(memory_, log2);
  if (!builder.has_room()) return false;

  const TableWord old = At(home);
  const bool by_fingerprint = log2 <= kFingerprintBuckets;
  const bool complete = ForEachGroup(old, [&](std::span<const Place> places) {
    if (!by_fingerprint) {
      for (const Place& place : places) hasher.Prefetch(place.cell);
    }
    for (const Place& place : places) {
      const std::optional<std::uint64_t> hash =
          by_fingerprint ? place.cell.partial_hash() : hasher.HashOf(place.cell);
      if (!hash || !builder.Add(*hash, place.cell)) return false;
    }
    return true;
  });
  if (!complete) return false;
  if (!added.cell.empty() && !builder.Add(added.hash, added.cell)) return false;
  const TableWord table = builder.Finish(home, NextGeneration(old));
  SetCounts(home, table, builder.counts());
  RetireTable(old);
  rebuilt_.Add(1);
  return true;
}

void IndexTables::Remove(std::uint64_t home, std::span<const Place> places,
                         const CellHasher& hasher) {
  const TableWord table = At(home);
  for (const Place& place : places) memory_.Link(place.offset, 0);
  memory_.NoteCleared(table.offset());
  if (TableCounts* known = Known(home)) known->keys -= places.size();
  const TableCounts counts = Count(home, table);
  const std::uint64_t lines = table.buckets() + counts.overflow;
  if (counts.keys == 0) {
    RemoveAll(home);
  } else if (lines >= kShrinkFromLines && counts.keys < lines / 2) {
    const auto log2 = static_cast<unsigned>(std::bit_width(counts.keys / kKeysAfterShrinking));
    (void)Rebuild(home, log2, {}, hasher);  // Where there is no room it stays as it is.
  }
}

void IndexTables::RemoveAll(std::uint64_t home) {
  const TableWord table = At(home);
  if (table.empty()) return;
  memory_.Link(home, 0);
  SetCounts(home, {}, {});
  RetireTable(table);
}

void IndexTables::RetireTable(TableWord table) {
  for (std::uint64_t i = 0; i < table.buckets(); ++i) {
    std::uint64_t bucket = memory_.Load(table.offset() + i * kLine + kNextOffset);
    for (; bucket != 0; bucket = memory_.Load(bucket + kNextOffset)) memory_.Retire(bucket, 1);
  }
  memory_.Retire(table.offset(), table.buckets());
}

}  // namespace cirein::dpm
