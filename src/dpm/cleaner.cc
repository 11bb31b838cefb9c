// SPDX-License-Identifier: Apache-2.0
#include "dpm/cleaner.h"

#include <algorithm>
#include <utility>

#include "base/sabotage.h"
#include "dpm/log_walk.h"

namespace cirein::dpm {

Cleaner::Cleaner(SegmentSpace& space, Index& index, Merger& merger, LogWriter& writer)
    : space_(space), index_(index), merger_(merger), writer_(writer) {}

EntryFields FieldsOfCopy(const EntryView& entry) {
  EntryFields fields{.kind = entry.kind(),
                     .key = entry.key(),
                     .slot = entry.slot(),
                     .version = entry.version(),
                     .expiry_ms = entry.expiry_ms(),
                     .request_id = entry.request_id(),
                     .type = entry.header().type,
                     .meta = entry.meta(),
                     .data = entry.data(),
                     .extent = entry.extent(),
                     .extent_bytes = entry.data_bytes(),
                     .payload_checksum = entry.payload_checksum(),
                     .copied = true};
  return fields;
}

std::uint64_t Cleaner::Gain(std::uint64_t segment, std::uint64_t live) const {
  const std::uint64_t end = space_.committed(segment);
  const std::uint64_t written = end - kFirstBatch;
  const std::uint64_t dead = written - std::min(live, written);
  // Room at the end that was just too small for the next entry is not gained by copying; that of a
  // segment which was sealed early is.
  const std::uint64_t tail = space_.segment_bytes() - end;
  return tail > space_.segment_bytes() / kLongTail ? dead + tail : dead;
}

std::optional<std::uint64_t> Cleaner::ChooseVictim() const {
  // Greedy with age: a segment that was filled long ago and still has dead bytes will not get many
  // more, while a young one still does (cost-benefit cleaning: Rosenblum and Ousterhout, SOSP
  // 1991).
  const std::uint64_t least = space_.segment_bytes() / kLeastGain;
  std::optional<std::uint64_t> best;
  double best_score = 0;
  for (std::uint64_t segment = 0; segment < space_.count(); ++segment) {
    if (space_.state(segment) != SegmentState::kSealed || !space_.merged_whole(segment) ||
        busy_.contains(segment)) {
      continue;
    }
    // A power cut that takes the end of a log must take all of it: no copy may be left.
    if (space_.synced(segment) < space_.committed(segment)) continue;
    const std::uint64_t live = index_.live_bytes(segment);
    const std::uint64_t gain = Gain(segment, live);
    if (gain < least) continue;
    const auto age = static_cast<double>(space_.age(segment));
    const double score = static_cast<double>(gain) * (1 + age) / static_cast<double>(live + least);
    if (!best || score > best_score) {
      best = segment;
      best_score = score;
    }
  }
  return best;
}

EntryFields GoneInsteadOf(const EntryView& entry) {
  return {.kind = EntryKind::kGone,
          .key = entry.key(),
          .slot = entry.slot(),
          .version = entry.version(),
          .request_id = entry.request_id(),
          .copied = true};
}

bool Cleaner::Expired(const EntryView& entry) const {
  const auto expiry = entry.expiry_ms();
  return expiry && *expiry <= space_.control().slot_root(entry.slot()).clock_floor_ms;
}

Status Cleaner::Append(const EntryFields& fields, Location* copy) {
  for (;;) {
    const auto staged = writer_.Stage(std::span(&fields, 1), std::span(copy, 1));
    if (!staged.ok()) return staged.status();
    if (*staged == LogWriter::Staged::kStaged) return OkStatus();
    if (Status status = writer_.Commit(); !status.ok()) return status;
  }
}

Status Cleaner::Copy(const EntryView& entry, Location location, Location* copy) {
  const bool expired = entry.kind() == EntryKind::kObject && Expired(entry);
  if (Sabotaged(Sabotage::kForgetGoneEarly) && (expired || entry.kind() == EntryKind::kGone)) {
    index_.Forget(entry, location);
    return OkStatus();
  }
  copied_bytes_ += entry.size();
  return Append(expired ? GoneInsteadOf(entry) : FieldsOfCopy(entry), copy);
}

Result<std::uint64_t> Cleaner::BuryExpired(std::uint64_t max_entries) {
  std::uint64_t buried = 0;
  Status status;
  Location last;
  for (std::uint32_t i = 0; i < kSlotCount && status.ok() && buried < max_entries; ++i) {
    const auto slot = static_cast<std::uint16_t>(next_slot_);
    std::vector<EntryView> expired;
    index_.WalkSlot(slot, [&](const Index::Found& found) {
      if (found.entry.kind() == EntryKind::kObject && Expired(found.entry)) {
        expired.push_back(found.entry);
      }
      return true;
    });
    for (const EntryView& entry : expired) {
      if (status.ok()) status = Append(GoneInsteadOf(entry), &last);
    }
    buried += expired.size();
    next_slot_ = (next_slot_ + 1) % kSlotCount;
  }
  if (status.ok()) status = writer_.Commit();
  if (status.ok()) return buried;
  writer_.Abandon();
  return status;
}

Result<std::optional<std::uint64_t>> Cleaner::CleanOne() {
  const auto victim = ChooseVictim();
  if (!victim) return std::optional<std::uint64_t>();
  const std::uint64_t before = copied_bytes_;
  Emptied emptied{*victim, {}};
  Status status = WalkEntries(space_, *victim, [&](const EntryView& entry, Location location) {
    return index_.LeadsTo(entry, location) ? Copy(entry, location, &emptied.last_copy) : OkStatus();
  });
  if (status.ok()) status = writer_.Commit();
  if (!status.ok()) {
    // What was copied so far is as good as the original; the victim stays.
    writer_.Abandon();
    return status;
  }
  busy_.insert(*victim);
  emptied_.push_back(emptied);
  ++cleaned_segments_;
  return std::optional(copied_bytes_ - before);
}

Result<bool> Cleaner::SealWhatDied() {
  const std::optional<std::uint64_t> open = writer_.segment();
  if (!open) return false;
  const std::uint64_t written = space_.committed(*open) - kFirstBatch;
  // Not by what is unused at its end: to copy what lives would gain nothing, for ever.
  if (written < index_.live_bytes(*open) + space_.segment_bytes() / kLeastGain) return false;
  CIREIN_RETURN_IF_ERROR(writer_.Seal());
  return true;
}

bool Cleaner::CopiesMerged(const Emptied& emptied) const {
  if (!emptied.last_copy) return true;
  // The cleaner's log is merged in order, so the last copy stands for all of them.
  const std::uint64_t segment = space_.segment_of(emptied.last_copy.offset);
  return space_.begin_of(segment) + merger_.merged(segment) > emptied.last_copy.offset;
}

std::vector<std::uint64_t> Cleaner::TakeEmptied() {
  std::vector<std::uint64_t> done;
  std::erase_if(emptied_, [&](const Emptied& emptied) {
    if (!CopiesMerged(emptied)) return false;
    done.push_back(emptied.segment);
    return true;
  });
  return done;
}

void Cleaner::Freed(std::uint64_t segment) { busy_.erase(segment); }

}  // namespace cirein::dpm
