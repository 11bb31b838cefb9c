// SPDX-License-Identifier: Apache-2.0
#include "dpm/index_memory.h"

#include <algorithm>
#include <utility>

#include "dpm/layout.h"

namespace cirein::dpm {
namespace {

constexpr std::size_t kCompactAtFirst = 4096;

void SortUnique(std::vector<std::uint64_t>& lines) {
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
}

}  // namespace

IndexMemory::IndexMemory(std::unique_ptr<Region> region, std::uint64_t heap_offset,
                         ReadEpochs* epochs, IndexPersist persist)
    : region_(std::move(region)),
      bytes_(region_->data()),
      heap_offset_(heap_offset),
      epochs_(epochs),
      persist_(persist),
      heap_((region_->size() - heap_offset) / kLine),
      compact_at_(kCompactAtFirst) {}

std::uint64_t IndexMemory::LineOf(std::uint64_t offset) const noexcept {
  return (offset - heap_offset_) / kLine;
}

std::uint64_t IndexMemory::Allocate(std::uint64_t lines) {
  std::optional<std::uint64_t> line = heap_.Allocate(lines);
  if (!line && !(retired_.empty() && waiting_.empty())) {
    Reclaim();
    line = heap_.Allocate(lines);
  }
  return line ? heap_offset_ + *line * kLine : 0;
}

void IndexMemory::Free(std::uint64_t offset, std::uint64_t lines) {
  heap_.Free(LineOf(offset), lines);
}

void IndexMemory::PersistBody(std::uint64_t offset, std::uint64_t bytes) {
  if (persist_ == IndexPersist::kWhole || !status_.ok()) return;
  status_ = region_->Persist(offset, bytes, PersistSite::kIndexBody);
}

void IndexMemory::Remember(std::uint64_t offset) {
  stored_lines_.push_back(offset / kLine);
  if (stored_lines_.size() < compact_at_) return;
  SortUnique(stored_lines_);
  compact_at_ = std::max(kCompactAtFirst, stored_lines_.size() * 2);
}

void IndexMemory::Retire(std::uint64_t offset, std::uint64_t lines) {
  retired_.push_back({offset, lines});
}

void IndexMemory::SealRetired() {
  if (retired_.empty()) return;
  waiting_.push_back({epochs_->Retire(), std::exchange(retired_, {})});
}

Status IndexMemory::PersistLinks() {
  if (persist_ == IndexPersist::kWhole || !status_.ok()) return status_;
  SortUnique(stored_lines_);
  for (std::size_t i = 0; i < stored_lines_.size() && status_.ok();) {
    std::size_t end = i + 1;
    while (end < stored_lines_.size() && stored_lines_[end] == stored_lines_[end - 1] + 1) ++end;
    status_ =
        region_->Persist(stored_lines_[i] * kLine, (end - i) * kLine, PersistSite::kIndexLinks);
    i = end;
  }
  // After an error nothing may be used again: what the medium still leads to is unknown.
  if (!status_.ok()) return status_;
  stored_lines_.clear();
  cleared_tables_.clear();
  SealRetired();
  return status_;
}

Status IndexMemory::PersistAll() {
  if (!status_.ok()) return status_;
  status_ = region_->Persist(0, region_->size(), PersistSite::kIndexClose);
  if (!status_.ok()) return status_;
  stored_lines_.clear();
  cleared_tables_.clear();
  SealRetired();
  return status_;
}

Status IndexMemory::StoreAndPersist(std::uint64_t offset, std::uint64_t value, PersistSite site) {
  region_->StoreWord(offset, value);
  if (persist_ == IndexPersist::kWhole) return OkStatus();
  if (!status_.ok()) return status_;
  status_ = region_->Persist(offset, sizeof value, site);
  return status_;
}

void IndexMemory::Reclaim() {
  if (persist_ == IndexPersist::kWhole) SealRetired();
  while (!waiting_.empty() && epochs_->Passed(waiting_.front().stamp)) {
    for (const Piece& piece : waiting_.front().pieces) Free(piece.offset, piece.lines);
    waiting_.pop_front();
  }
}

}  // namespace cirein::dpm
