// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "cirein/status.h"

#include "dpm/index.h"
#include "dpm/log_writer.h"
#include "dpm/merger.h"
#include "dpm/segment_space.h"

namespace cirein::dpm {

/// Makes room: copies what is live in mostly dead segments to a log of its own, and lets the merger
/// swing the index to the copies like to any other entry. A segment whose entries are all dead or
/// copied waits in `emptied` until its replacements are merged, and then for Dpm to free it when
/// they are on the medium and no reader is inside (SAFETY 17).
///
/// An entry that expired by its slot's persisted clock floor is copied as a gone key of the same
/// version: what it superseded must not come back (SAFETY 8).
///
/// The DPM's processor only.
class Cleaner {
 public:
  Cleaner(SegmentSpace& space, Index& index, Merger& merger, LogWriter& writer);

  /// How much a victim must gain at least: this part of a segment.
  static constexpr std::uint64_t kLeastGain = 32;
  /// A segment with more than this part unused at its end was sealed early.
  static constexpr std::uint64_t kLongTail = 4;

  /// Cleans the segment that gains most, if one that is synced gains enough; the bytes it copied,
  /// nullopt when there is none. Commits the copies. ResourceExhausted when not even the reserve is
  /// left.
  Result<std::optional<std::uint64_t>> CleanOne();
  /// Seals the segment that copies go to, if as much of it is dead as a victim must gain: once the
  /// merger has seen its end it can be one. For a pool in which nothing else gains enough. Whether
  /// it did.
  Result<bool> SealWhatDied();

  /// Writes a gone key of the same version for each object that expired, itself or with its row, by
  /// the slot's persisted clock floor; the merger makes the objects dead by it. Goes through the
  /// slots in turn, from where it ended, until all were looked at or about `max_entries` were
  /// buried; how many. All that is merged must be synced. Reads every entry the index leads to, so
  /// it is for a pool that runs out of room.
  Result<std::uint64_t> BuryExpired(std::uint64_t max_entries);

  /// The emptied segments whose copies are all merged: nothing in the index leads to them. They are
  /// handed over to the caller, who frees them.
  std::vector<std::uint64_t> TakeEmptied();
  /// One of them is free again.
  void Freed(std::uint64_t segment);

  std::uint64_t copied_bytes() const noexcept { return copied_bytes_; }
  std::uint64_t cleaned_segments() const noexcept { return cleaned_segments_; }

 private:
  struct Emptied {
    std::uint64_t segment = 0;
    Location last_copy;  // None: nothing was copied.
  };
  /// What copying its live bytes elsewhere would gain.
  std::uint64_t Gain(std::uint64_t segment, std::uint64_t live) const;
  std::optional<std::uint64_t> ChooseVictim() const;
  bool Expired(const EntryView& entry) const;
  Status Append(const EntryFields& fields, Location* copy);
  Status Copy(const EntryView& entry, Location location, Location* copy);
  bool CopiesMerged(const Emptied& emptied) const;

  SegmentSpace& space_;
  Index& index_;
  Merger& merger_;
  LogWriter& writer_;
  std::vector<Emptied> emptied_;
  std::set<std::uint64_t> busy_;  // Emptied, and not yet free.
  std::uint32_t next_slot_ = 0;   // Where BuryExpired goes on.
  std::uint64_t copied_bytes_ = 0;
  std::uint64_t cleaned_segments_ = 0;
};

/// The fields that make the same entry again at another place; they point into it.
EntryFields FieldsOfCopy(const EntryView& entry);
/// Those of a gone key in its place.
EntryFields GoneInsteadOf(const EntryView& entry);

}  // namespace cirein::dpm
