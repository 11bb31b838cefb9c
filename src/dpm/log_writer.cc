// SPDX-License-Identifier: Apache-2.0
#include "dpm/log_writer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/sabotage.h"

namespace cirein::dpm {

namespace {

bool OnlyDeletes(std::span<const EntryFields> group) {
  return std::ranges::all_of(
      group, [](const EntryFields& fields) { return fields.kind != EntryKind::kObject; });
}

}  // namespace

LogWriter::LogWriter(SegmentSpace& space, Options options)
    : space_(space), options_(std::move(options)) {}

LogWriter::~LogWriter() = default;

std::uint64_t LogWriter::max_batch_bytes() const noexcept {
  return space_.segment_bytes() - kFirstBatch;
}

void LogWriter::BeginBatch() {
  builder_.Begin(segment_seed_, next_, space_.segment_bytes() - next_);
}

Result<std::uint64_t> LogWriter::Grant(bool deletes_only) {
  if (options_.cleaner) return space_.Grant(GrantFor::kCleaner, options_.stream);
  for (;;) {
    const Status room = options_.await_room();
    Result<std::uint64_t> granted = ResourceExhausted("no room");
    if (room.ok()) granted = space_.Grant(GrantFor::kWrites, options_.stream);
    if (granted.ok()) reserved_ = false;
    if (granted.ok() || granted.status().code() != StatusCode::kResourceExhausted) return granted;
    if (room.ok()) continue;  // Another writer was faster.
    if (!deletes_only || room.code() != StatusCode::kResourceExhausted) return room;
    granted = space_.Grant(GrantFor::kDeletes, options_.stream);
    if (granted.ok()) reserved_ = true;
    return granted;
  }
}

Status LogWriter::NextSegment(bool deletes_only) {
  const Result<std::uint64_t> granted = Grant(deletes_only);
  if (!granted.ok()) return granted.status();
  if (Status status = Seal(); !status.ok()) return status;
  segment_ = *granted;
  segment_seed_ = space_.seed(*segment_);
  next_ = kFirstBatch;
  BeginBatch();
  return OkStatus();
}

Result<LogWriter::Staged> LogWriter::Stage(std::span<const EntryFields> group,
                                           std::span<Location> locations) {
  if (!failed_.ok()) return failed_;
  if (space_.is_refused()) return space_.refused();
  std::uint64_t bytes = sizeof(BatchHeader);
  for (const EntryFields& fields : group) bytes += EntryBytes(fields);
  if (AlignUp(bytes, kLine) > max_batch_bytes()) {
    return InvalidArgument(
        fmt::format("a group of {} bytes does not fit in a segment of {}", bytes,
                    space_.segment_bytes()),
        "write fewer or smaller objects at once, or create a pool with larger segments");
  }
  const bool deletes_only = OnlyDeletes(group);
  if (Sabotaged(Sabotage::kHalfGroups) && group.size() > 1) {
    if (flight_) return Staged::kFull;
    for (std::size_t i = 0; i + 1 < group.size(); ++i) {
      if (Status status = Write(group.subspan(i, 1), locations.subspan(i, 1)); !status.ok()) {
        return status;
      }
    }
    // The last one goes with the next batch.
    return Stage(group.last(1), locations.last(1));
  }
  // A segment from the deletes' reserve takes objects again only when there is room for them.
  if (segment_ && reserved_ && !deletes_only) {
    if (builder_.count() != 0) return Staged::kFull;
    // As in Grant: where another was faster, room is awaited again.
    while (space_.free_segments() <= kReservedForCleaner + kReservedForDeletes) {
      if (Status room = options_.await_room(); !room.ok()) return room;
    }
    reserved_ = false;
  }
  for (;;) {
    if (segment_) {
      const std::uint64_t used = builder_.used_bytes();
      const std::uint32_t count = builder_.count();
      std::size_t done = 0;
      for (; done < group.size(); ++done) {
        const auto offset = builder_.Add(group[done]);
        if (!offset) break;
        locations[done] = Location{space_.begin_of(*segment_) + *offset};
      }
      if (done == group.size()) {
        staged_entries_ += group.size();
        return Staged::kStaged;
      }
      builder_.Rollback(count, used);
      if (count != 0 || flight_) return Staged::kFull;
    }
    if (Status status = NextSegment(deletes_only); !status.ok()) return status;
  }
}

bool LogWriter::BeginFlight() {
  if (flight_ || !failed_.ok() || builder_.count() == 0) return false;
  const std::uint64_t mark = space_.synced(*segment_);
  const ByteSpan batch = builder_.Finish(mark);
  flight_ = Flight{*segment_, next_, mark, batch};
  next_ += batch.size();
  std::swap(builder_, flying_);
  BeginBatch();
  return true;
}

Status LogWriter::PersistFlight() {
  if (space_.is_refused()) return space_.refused();
  const std::uint64_t at = space_.begin_of(flight_->segment) + flight_->at;
  Status status = space_.log().Write(at, flight_->bytes);
  if (Sabotaged(Sabotage::kMergePastMark) && options_.on_commit) {
    space_.SetCommitted(flight_->segment, flight_->at + flight_->bytes.size());
    options_.on_commit(flight_->bytes.size());
  }
  if (status.ok() && options_.durability == Durability::kPower &&
      !Sabotaged(Sabotage::kDropBatchPersist)) {
    status = space_.log().Persist(at, flight_->bytes.size(), PersistSite::kBatch);
  }
  return status.ok() ? status : status.WithContext("cannot write to the pool's log");
}

Status LogWriter::EndFlight(const Status& persisted) {
  const Flight flight = *std::exchange(flight_, std::nullopt);
  if (!persisted.ok()) return failed_ = persisted;
  const std::uint64_t end = flight.at + flight.bytes.size();
  bytes_written_ += flight.bytes.size();
  space_.SetMarked(flight.segment, flight.mark);
  if (options_.durability == Durability::kPower) space_.SetSynced(flight.segment, end);
  space_.SetCommitted(flight.segment, end);
  if (options_.on_commit) options_.on_commit(flight.bytes.size());
  return OkStatus();
}

Status LogWriter::Commit() {
  if (!failed_.ok()) return failed_;
  if (!BeginFlight()) return OkStatus();
  return EndFlight(PersistFlight());
}

void LogWriter::Abandon() {
  staged_entries_ -= builder_.count();
  if (segment_) BeginBatch();
}

Status LogWriter::Write(std::span<const EntryFields> group, std::span<Location> locations) {
  Result<Staged> staged = Stage(group, locations);
  if (staged.ok() && *staged == Staged::kFull) {
    if (Status status = Commit(); !status.ok()) return status;
    staged = Stage(group, locations);
  }
  if (!staged.ok()) return staged.status();
  return Commit();
}

Status LogWriter::Seal() {
  if (!failed_.ok()) return failed_;
  if (flight_) return FailedPrecondition("a batch is on its way");
  if (!segment_) return OkStatus();
  if (Status status = space_.Seal(*segment_, next_); !status.ok()) {
    return failed_ = status.WithContext("cannot seal a segment");
  }
  segment_.reset();
  return OkStatus();
}

}  // namespace cirein::dpm
