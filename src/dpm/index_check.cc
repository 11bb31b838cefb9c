// SPDX-License-Identifier: Apache-2.0
#include "dpm/index_check.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace cirein::dpm {

IndexCheck::IndexCheck(const IndexMemory& memory, const IndexLog& log, std::uint64_t slot_words)
    : memory_(memory),
      log_(log),
      slot_words_(slot_words),
      used_((memory.heap().lines() + 63) / 64) {}

bool IndexCheck::Fail(const char* what, std::uint64_t offset) {
  status_ = DataLoss(fmt::format("index region '{}': {} at offset {} (slot {})",
                                 memory_.region().name(), what, offset, slot_),
                     "the index can be made again from the log");
  return false;
}

// Marks lines as used; false when they are not all there, or one is in use already.
bool IndexCheck::Use(std::uint64_t offset, std::uint64_t lines) {
  if (offset < memory_.heap_offset() || offset % kLine != 0) return false;
  std::uint64_t line = (offset - memory_.heap_offset()) / kLine;
  const std::uint64_t all = memory_.heap().lines();
  if (line >= all || lines > all - line) return false;
  while (lines != 0) {
    const std::uint64_t bits = std::min(lines, 64 - line % 64);
    const std::uint64_t mask = (bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1)
                               << (line % 64);
    std::uint64_t& word = used_[line / 64];
    if ((word & mask) != 0) return false;
    word |= mask;
    line += bits;
    lines -= bits;
  }
  return true;
}

Status IndexCheck::Walk() {
  for (slot_ = 0; slot_ < kSlotCount; ++slot_) {
    if (!WalkTable(slot_words_ + slot_ * sizeof(std::uint64_t), Level::kSlot)) return status_;
  }
  return OkStatus();
}

bool IndexCheck::WalkTable(std::uint64_t home, Level level) {
  const TableWord table(memory_.Load(home));
  if (table.empty()) return true;
  if (table.log2() > 40 || !Use(table.offset(), table.buckets())) {
    return Fail("a table that is out of range, or in use twice,", home);
  }
  TableCounts counts;
  for (std::uint64_t i = 0; i < table.buckets(); ++i) {
    if (!WalkChain(table, i, level, &counts)) return false;
  }
  tables_.push_back({home, table, counts});
  if (counts.keys == 0) empty_tables_.push_back(home);
  return true;
}

bool IndexCheck::WalkChain(TableWord table, std::uint64_t number, Level level,
                           TableCounts* counts) {
  const unsigned known_log2 = std::min(table.log2(), kFingerprintBuckets);
  const std::uint64_t known = number & ((std::uint64_t{1} << known_log2) - 1);
  std::uint64_t bucket = table.offset() + number * kLine;
  for (;;) {
    for (unsigned i = 0; i < kCellsPerBucket; ++i) {
      const std::uint64_t offset = bucket + i * sizeof(std::uint64_t);
      const Cell cell(memory_.Load(offset));
      if (cell.empty()) continue;
      if (BucketNumber(cell.partial_hash(), known_log2) != known) {
        return Fail("a cell in the wrong bucket", offset);
      }
      if (!CheckCell(cell, offset, level)) return false;
      ++counts->keys;
    }
    const std::uint64_t next = memory_.Load(bucket + kNextOffset);
    if (next == 0) return true;
    if (!Use(next, 1)) {
      return Fail("a link to a bucket out of range, or in use twice,", bucket + kNextOffset);
    }
    ++counts->overflow;
    bucket = next;
  }
}

bool IndexCheck::CheckCell(Cell cell, std::uint64_t offset, Level level) {
  if (cell.kind() == CellKind::kEntry) {
    ++keys_;
    return log_.Possible(cell.location()) ||
           Fail("a cell that leads to no place in the log", offset);
  }
  if (cell.kind() != CellKind::kRowNode || level != Level::kSlot) {
    return Fail("a cell of an unknown kind", offset);
  }
  if (!Use(cell.place(), 1)) {
    return Fail("a cell that leads to a row out of range, or in use twice,", offset);
  }
  return WalkNode(cell);
}

bool IndexCheck::WalkNode(Cell cell) {
  const std::uint64_t offset = cell.place();
  const RowRef row(memory_, offset);
  // The first line holds the lengths; the others are looked at before the name is.
  if (row.lines() > 1 && !Use(offset + kLine, row.lines() - 1)) {
    return Fail("a row whose name does not fit, or is in use twice,", offset);
  }
  const RowName name = row.name();
  if (!cell.MayBe(row.row_hash()) || row.row_hash() != Hash64(name.name, name.bucket)) {
    return Fail("a row whose name is not what its hash says", offset);
  }
  for (const Location location : {row.row_entry(), row.object()}) {
    if (location && !log_.Possible(location)) {
      return Fail("a row that leads to no place in the log", offset);
    }
  }
  if (row.object()) ++keys_;
  if (row.row_entry()) ++row_entries_;
  ++rows_;
  const std::size_t empty_before = empty_tables_.size();
  if (!WalkTable(row.table_home(), Level::kRow)) return false;
  const bool has_columns = !row.table().empty() && empty_tables_.size() == empty_before;
  if (!row.row_entry() && !has_columns) {
    idle_rows_.push_back({slot_words_ + slot_ * sizeof(std::uint64_t), offset});
  }
  return true;
}

void IndexCheck::FreeTheRest(IndexHeap& heap) const {
  const std::uint64_t lines = heap.lines();
  // The first line from `line` on whose bit differs from the one that all bits of `run` have.
  const auto skip = [&](std::uint64_t line, std::uint64_t run) {
    while (line < lines) {
      const std::uint64_t rest = (used_[line / 64] ^ run) >> (line % 64);
      if (rest != 0) return std::min(lines, line + std::uint64_t(std::countr_zero(rest)));
      line = (line / 64 + 1) * 64;
    }
    return lines;
  };
  constexpr std::uint64_t kUsed = ~std::uint64_t{0};
  constexpr std::uint64_t kUnused = 0;
  for (std::uint64_t line = skip(0, kUsed); line < lines;) {
    const std::uint64_t end = skip(line, kUnused);
    heap.Free(line, end - line);
    line = skip(end, kUsed);
  }
}

}  // namespace cirein::dpm
