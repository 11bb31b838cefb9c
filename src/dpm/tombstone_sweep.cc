// SPDX-License-Identifier: Apache-2.0
#include "dpm/tombstone_sweep.h"

#include <algorithm>
#include <functional>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "dpm/log_walk.h"

namespace cirein::dpm {

namespace {

/// Two keys with one hash share a candidate: then it is kept needlessly, never forgotten wrongly.
std::uint64_t HashOfKey(const EntryView& entry, std::uint64_t row_hash) {
  if (!entry.has_column()) return row_hash;
  return MixSeed(row_hash, Hash64(entry.column(), 1));
}

struct Candidate {
  Location location;
  Version version;  // What is lower would come back.
  bool needed = false;
};

using Candidates = absl::flat_hash_map<std::uint64_t, Candidate>;

/// Every entry below the committed ends.
template <typename Visit>
Status ForEachEntry(const SegmentSpace& space, Visit&& visit) {
  for (std::uint64_t segment = 0; segment < space.count(); ++segment) {
    if (space.state(segment) == SegmentState::kFree) continue;
    Status status = WalkEntries(space, segment, [&](const EntryView& entry, Location location) {
      visit(entry, location);
      return OkStatus();
    });
    if (!status.ok()) return status;
  }
  return OkStatus();
}

class Sweeper {
 public:
  Sweeper(SegmentSpace& space, Index& index, std::uint64_t max_candidates)
      : space_(space), index_(index), max_candidates_(max_candidates) {}

  Result<TombstoneSweep> Run() {
    const auto collect = [this](const EntryView& entry, Location at) { Collect(entry, at); };
    if (Status status = ForEachEntry(space_, collect); !status.ok()) return status;
    if (keys_.empty() && rows_.empty()) return result_;
    const auto check = [this](const EntryView& entry, Location at) { Check(entry, at); };
    if (Status status = ForEachEntry(space_, check); !status.ok()) return status;
    ForgetUnneeded(keys_);
    ForgetUnneeded(rows_);
    return result_;
  }

 private:
  void Collect(const EntryView& entry, Location location) {
    // A row entry that may still expire says more than what is gone; one that did hides all of its
    // row.
    const auto expiry = entry.kind() == EntryKind::kRow ? entry.expiry_ms() : std::nullopt;
    const bool expired =
        expiry && *expiry <= space_.control().slot_root(entry.slot()).clock_floor_ms;
    const bool may_go = entry.kind() == EntryKind::kGone ||
                        (entry.kind() == EntryKind::kRow && (!expiry || expired));
    if (!may_go || !index_.LeadsTo(entry, location)) return;
    if (keys_.size() + rows_.size() >= max_candidates_) {
      ++result_.kept;
      return;
    }
    const std::uint64_t row_hash = Hash64(entry.row(), entry.header().bucket);
    const bool row = entry.kind() == EntryKind::kRow;
    Version version = row ? entry.hide_below() : entry.version();
    if (expired) version = {UINT64_MAX, UINT64_MAX};
    const auto [place, added] =
        row ? rows_.try_emplace(row_hash, Candidate{location, version, false})
            : keys_.try_emplace(HashOfKey(entry, row_hash), Candidate{location, version, false});
    if (!added) place->second.needed = true;
  }

  void Check(const EntryView& entry, Location location) {
    const std::uint64_t row_hash = Hash64(entry.row(), entry.header().bucket);
    if (!rows_.empty()) {
      if (const auto row = rows_.find(row_hash); row != rows_.end()) {
        Note(row->second, entry, location);
      }
    }
    if (keys_.empty() || entry.kind() == EntryKind::kRow) return;
    if (const auto key = keys_.find(HashOfKey(entry, row_hash)); key != keys_.end()) {
      Note(key->second, entry, location);
    }
  }

  static void Note(Candidate& candidate, const EntryView& entry, Location location) {
    if (location != candidate.location && entry.version() <= candidate.version) {
      candidate.needed = true;
    }
  }

  // In the order of the log, not of the table, which differs from process to process: what is
  // stored shall follow from what was asked.
  void ForgetUnneeded(const Candidates& candidates) {
    std::vector<Candidate> in_order;
    in_order.reserve(candidates.size());
    for (const auto& [hash, candidate] : candidates) in_order.push_back(candidate);
    std::sort(in_order.begin(), in_order.end(), [](const Candidate& a, const Candidate& b) {
      return a.location.offset < b.location.offset;
    });
    for (const Candidate& candidate : in_order) {
      const EntryView entry = EntryView::Trust(space_.log().data() + candidate.location.offset);
      if (candidate.needed || !index_.Forget(entry, candidate.location)) {
        ++result_.kept;
        continue;
      }
      ++result_.forgotten;
      result_.forgotten_bytes += entry.size();
      index_.AddLiveBytes(space_.segment_of(candidate.location.offset),
                          -static_cast<std::int64_t>(entry.size()));
    }
  }

  SegmentSpace& space_;
  Index& index_;
  const std::uint64_t max_candidates_;
  Candidates keys_;
  Candidates rows_;
  TombstoneSweep result_;
};

}  // namespace

Result<TombstoneSweep> SweepTombstones(SegmentSpace& space, Index& index,
                                       std::uint64_t max_candidates) {
  return Sweeper(space, index, max_candidates).Run();
}

}  // namespace cirein::dpm
