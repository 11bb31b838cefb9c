// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "dpm/entry.h"
#include "dpm/location.h"

namespace cirein::dpm {

/// The log as the index sees it: the bytes its cells lead to. Whatever they are, nothing outside
/// the log is read: a cell that survived a damaged medium may lead into the middle of an entry.
///
/// Thread-safe; where a location comes from decides how long it may be followed (ReadEpochs).
class IndexLog {
 public:
  IndexLog(const std::byte* bytes, std::uint64_t segment_bytes, std::uint64_t segments) noexcept
      : bytes_(bytes), segment_bytes_(segment_bytes), log_bytes_(segment_bytes * segments) {}

  /// May an entry begin there? Only such locations may be followed.
  bool Possible(Location location) const noexcept {
    if (location.offset >= log_bytes_ || location.offset % 8 != 0) return false;
    // A division costs more than all the rest, and nearly every pool's segments are powers of two.
    const std::uint64_t within = std::has_single_bit(segment_bytes_)
                                     ? location.offset & (segment_bytes_ - 1)
                                     : location.offset % segment_bytes_;
    return within >= kFirstBatch && within + sizeof(EntryHeader) <= segment_bytes_;
  }

  /// The entry at a possible location; none when what is there would reach beyond the log.
  EntryView At(Location location) const noexcept {
    const EntryView entry = EntryView::Trust(bytes_ + location.offset);
    const EntryHeader& header = entry.header();
    const std::uint64_t before_data = sizeof(EntryHeader) + OptionalFieldBytes(header.flags) +
                                      header.row_bytes + header.column_bytes + header.meta_bytes;
    const std::uint64_t data = (header.flags & kHasExtent) != 0 ? 0 : header.data_bytes;
    const std::uint64_t room = log_bytes_ - location.offset;
    if (before_data > room || data > room - before_data) [[unlikely]]
      return {};
    return entry;
  }
  /// As At, and also none when it is not of this kind: a row entry must have its record.
  EntryView RowEntryAt(Location location) const noexcept {
    const EntryView entry = At(location);
    const bool good = entry && entry.kind() == EntryKind::kRow &&
                      entry.header().data_bytes >= sizeof(RowRecord) && !entry.has(kHasExtent);
    return good ? entry : EntryView();
  }

  /// Asks for the line of an entry's header and the one after it, where the key may end. Any
  /// location will do.
  void Prefetch(Location location) const noexcept {
    if (location.offset >= log_bytes_) return;
    __builtin_prefetch(bytes_ + location.offset);
    __builtin_prefetch(bytes_ + location.offset + kLine - 1);
  }

 private:
  const std::byte* bytes_;
  std::uint64_t segment_bytes_;
  std::uint64_t log_bytes_;
};

/// Which row, without hashing its name again.
struct RowName {
  std::uint32_t bucket = 0;
  std::string_view name;
  static RowName Of(const EntryView& entry) noexcept {
    return {entry.header().bucket, entry.row()};
  }
  static RowName Of(const KeyView& key) noexcept { return {key.bucket.id(), key.row}; }
};

/// Equal? Names are short: two words from both ends are most of them, without a call.
inline bool SameName(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  if (a.size() < kWord || a.size() > 2 * kWord) return a == b;
  const auto word = [](const char* from) {
    std::uint64_t value = 0;
    std::memcpy(&value, from, kWord);
    return value;
  };
  const std::size_t last = a.size() - kWord;
  return ((word(a.data()) ^ word(b.data())) | (word(a.data() + last) ^ word(b.data() + last))) == 0;
}

/// Is the entry the object without column of this row, or says that it is gone?
inline bool IsObjectOf(const EntryView& entry, const RowName& row) noexcept {
  return entry && !entry.has_column() && entry.kind() != EntryKind::kRow &&
         entry.header().bucket == row.bucket && SameName(entry.row(), row.name);
}
/// Is the entry this column of this row, or says that it is gone?
inline bool IsColumnOf(const EntryView& entry, const RowName& row,
                       std::string_view column) noexcept {
  return entry && entry.has_column() && entry.header().bucket == row.bucket &&
         SameName(entry.column(), column) && SameName(entry.row(), row.name);
}

}  // namespace cirein::dpm
