// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "cirein/status.h"

#include "dpm/index_heap.h"
#include "dpm/layout.h"
#include "dpm/read_epochs.h"
#include "region/region.h"

namespace cirein::dpm {

/// Whether each change of the index is persisted by itself (Index::Options::persist).
enum class IndexPersist : std::uint8_t { kWhole, kEach };

/// The words and lines of the index region: reading, changing, allocating and giving back.
///
/// What changes are there:
///  - a *body* is memory that nothing leads to yet. It is filled, and persisted, and then linked;
///  - a *link* is a word that readers may be reading. It is stored at once and persisted later,
///  with
///    all others (PersistLinks);
///  - what a link does not lead to any more is *retired*: used again only when every reader that
///  may
///    have seen it has left and the link's new value is persistent.
/// With IndexPersist::kWhole nothing is persisted here, and only the readers are waited for.
///
/// Load may be called by any thread, the rest by one writer. Offsets are from the region's begin.
class IndexMemory {
 public:
  IndexMemory(std::unique_ptr<Region> region, std::uint64_t heap_offset, ReadEpochs* epochs,
              IndexPersist persist);

  /// As Region::LoadWord, with one step less on the way of every search.
  std::uint64_t Load(std::uint64_t offset) const noexcept {
    auto* word = reinterpret_cast<std::uint64_t*>(const_cast<std::byte*>(At(offset)));  // NOLINT
    return std::atomic_ref<std::uint64_t>(*word).load(std::memory_order_acquire);
  }
  const std::byte* At(std::uint64_t offset) const noexcept { return bytes_ + offset; }
  /// Is that a place in the heap?
  bool Holds(std::uint64_t offset) const noexcept {
    return offset >= heap_offset_ && offset < heap_offset_ + heap_.lines() * kLine;
  }
  void Prefetch(std::uint64_t offset) const noexcept { __builtin_prefetch(At(offset)); }
  void PrefetchToWrite(std::uint64_t offset) const noexcept { __builtin_prefetch(At(offset), 1); }

  // ---- Bodies ----

  /// Lines with unknown content; their offset, or 0 when there is no such run. Once looks whether
  /// something that waits can be given back by now.
  std::uint64_t Allocate(std::uint64_t lines);
  /// Gives back what no link ever led to.
  void Free(std::uint64_t offset, std::uint64_t lines);
  void Clear(std::uint64_t offset, std::uint64_t bytes) noexcept { region_->Clear(offset, bytes); }
  void Fill(std::uint64_t offset, std::uint64_t value) noexcept {
    region_->StoreWord(offset, value);
  }
  /// The body is finished. An error sticks, and is what PersistLinks gives.
  void PersistBody(std::uint64_t offset, std::uint64_t bytes);

  // ---- Links ----

  void Link(std::uint64_t offset, std::uint64_t value) {
    region_->StoreWord(offset, value);
    if (persist_ == IndexPersist::kEach) Remember(offset);
  }
  /// No link leads there any more.
  void Retire(std::uint64_t offset, std::uint64_t lines);

  /// Cells of this table were emptied. Before others of it get a key, that must be persistent: else
  /// a crash could leave one key in two cells.
  void NoteCleared(std::uint64_t table) {
    if (persist_ == IndexPersist::kEach) cleared_tables_.insert(table);
  }
  void BeforeInsert(std::uint64_t table) {
    if (!cleared_tables_.empty() && cleared_tables_.contains(table)) (void)PersistLinks();
  }

  /// All links that were stored are persistent after it. The first error sticks.
  Status PersistLinks();
  /// All of the region is persistent after it.
  Status PersistAll();
  /// A word that nothing follows, such as a mark, persisted by itself.
  Status StoreAndPersist(std::uint64_t offset, std::uint64_t value, PersistSite site);
  /// Gives back what was retired and cannot be seen any more.
  void Reclaim();

  IndexHeap& heap() noexcept { return heap_; }
  const IndexHeap& heap() const noexcept { return heap_; }
  Region& region() noexcept { return *region_; }
  const Region& region() const noexcept { return *region_; }
  std::uint64_t heap_offset() const noexcept { return heap_offset_; }

 private:
  struct Piece {
    std::uint64_t offset;
    std::uint64_t lines;
  };
  struct Waiting {
    std::uint64_t stamp;
    std::vector<Piece> pieces;
  };
  void Remember(std::uint64_t offset);
  void SealRetired();
  std::uint64_t LineOf(std::uint64_t offset) const noexcept;

  std::unique_ptr<Region> region_;
  const std::byte* const bytes_;  // The region's.
  const std::uint64_t heap_offset_;
  ReadEpochs* const epochs_;
  const IndexPersist persist_;
  IndexHeap heap_;
  Status status_;  // The first error of a persist.
  std::vector<std::uint64_t>
      stored_lines_;  // With links that are not persistent yet; with repeats.
  std::size_t compact_at_;
  absl::flat_hash_set<std::uint64_t> cleared_tables_;
  std::vector<Piece> retired_;   // Unlinked, the links perhaps not persistent yet.
  std::deque<Waiting> waiting_;  // For readers alone.
};

}  // namespace cirein::dpm
