// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "object/key_view.h"

namespace cirein {

/// The rows of one partition that somebody watches for changes (Redis's WATCH). A publish pays for
/// them only while there are some. Not thread-safe; guarded like the partition.
class RowWatches {
 public:
  /// Once more; the row's mark.
  std::uint64_t Watch(const KeyView& row) {
    Watched& watched = rows_[NameOf(row)];
    ++watched.watchers;
    return watched.mark;
  }
  void Unwatch(const KeyView& row) {
    const auto found = rows_.find(NameOf(row));
    if (found != rows_.end() && --found->second.watchers == 0) rows_.erase(found);
  }
  /// Of a row that is watched.
  std::uint64_t MarkOf(const KeyView& row) const {
    const auto found = rows_.find(NameOf(row));
    return found == rows_.end() ? 0 : found->second.mark;
  }
  /// Somebody has written to the row.
  void Changed(const KeyView& row) {
    if (rows_.empty()) return;
    const auto found = rows_.find(NameOf(row));
    if (found != rows_.end()) ++found->second.mark;
  }

 private:
  struct Watched {
    std::uint64_t watchers = 0;
    std::uint64_t mark = 0;
  };
  static std::string NameOf(const KeyView& row) {
    std::string name(sizeof(std::uint32_t), '\0');
    const std::uint32_t bucket = row.bucket.id();
    for (std::size_t i = 0; i < sizeof bucket; ++i) {
      name[i] = static_cast<char>(bucket >> (8 * i) & 0xFF);
    }
    return name.append(row.row);
  }

  absl::flat_hash_map<std::string, Watched> rows_;
};

}  // namespace cirein
