// SPDX-License-Identifier: Apache-2.0
#include "dpm/segment_space.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "dpm/log_scanner.h"

namespace cirein::dpm {

namespace {

constexpr std::uint64_t kZeroChunkBytes = 256 * 1024;

/// What may or may not be on the medium now must not be taken for a lack of room, which passes.
Status MediumError(const Status& status) {
  if (status.code() != StatusCode::kResourceExhausted) return status;
  return IoError(std::string(status.message()), std::string(status.hint()));
}

}  // namespace

SegmentSpace::SegmentSpace(Control& control, Region& log, bool on_files)
    : control_(control),
      log_(log),
      segment_bytes_(control.segment_bytes()),
      on_files_(on_files),
      info_(control.segments()) {
  // The order in which segments were granted tells the order within each stream.
  std::map<StreamId, std::map<std::uint64_t, std::uint64_t>> streams;
  for (std::uint64_t segment = 0; segment < count(); ++segment) {
    const SegmentRecord record = control_.record(segment);
    Info& info = info_[segment];
    info.state.store(record.state);
    info.generation.store(record.generation);
    info.stream = {record.incarnation, record.shard};
    if (record.state == static_cast<std::uint32_t>(SegmentState::kFree)) {
      (record.used_before != 0 ? free_ : free_fresh_).push_back(segment);
      continue;
    }
    info.followable.store(record.generation);
    const StreamId stream{record.incarnation, record.shard};
    streams[stream][record.sequence] = segment;
    sequences_[stream] = std::max(sequences_[stream], record.sequence);
    if (record.state == static_cast<std::uint32_t>(SegmentState::kSealed)) {
      info.committed.store(record.end);
      info.synced.store(record.end);
    }
  }
  for (const auto& [stream, segments] : streams) {
    for (const auto& [sequence, segment] : segments) unmerged_[stream].push_back(segment);
  }
}

std::uint64_t SegmentSpace::free_segments() const {
  const std::lock_guard lock(mutex_);
  return free_.size() + free_fresh_.size();
}

void SegmentSpace::Refuse(const Status& why) {
  const std::lock_guard lock(mutex_);
  if (refused_.ok()) refused_ = why;
  is_refused_.store(true, std::memory_order_release);
}

Status SegmentSpace::refused() const {
  if (!is_refused()) return OkStatus();
  const std::lock_guard lock(mutex_);
  return refused_;
}

std::optional<std::uint64_t> SegmentSpace::TakeFree(GrantFor use) {
  std::uint64_t reserved = 0;
  if (use != GrantFor::kCleaner) reserved += kReservedForCleaner;
  if (use == GrantFor::kWrites) reserved += kReservedForDeletes;
  if (free_.size() + free_fresh_.size() <= reserved) return std::nullopt;
  auto& from = free_.empty() ? free_fresh_ : free_;
  const std::uint64_t segment = from.front();
  from.pop_front();
  return segment;
}

Status SegmentSpace::WriteHeader(std::uint64_t segment) {
  SegmentHeader header;
  FillSegmentHeader(control_, segment, &header);
  const auto bytes = std::as_bytes(std::span(&header, 1));
  const std::uint64_t begin = begin_of(segment);
  if (Status status = log_.Write(begin, bytes); !status.ok()) return status;
  // It helps a repair that has lost both copies of the record, nothing else; on files it goes to
  // the medium with the first batch, because a sync of its own would be one of the whole log.
  if (on_files_) return OkStatus();
  return log_.Persist(begin, bytes.size(), PersistSite::kSegmentHeader);
}

Result<std::uint64_t> SegmentSpace::Grant(GrantFor use, StreamId stream) {
  std::optional<std::uint64_t> segment;
  SegmentRecord record;
  {
    const std::lock_guard lock(mutex_);
    segment = TakeFree(use);
    if (!segment) {
      return ResourceExhausted(fmt::format("the pool has no free segment for {}",
                                           use == GrantFor::kDeletes ? "deletes" : "writes"),
                               "drop objects, wait for the cleaner, or create a larger pool");
    }
    record = control_.record(*segment);
    record.sequence = ++sequences_[stream];
  }
  record.incarnation = stream.incarnation;
  record.shard = stream.shard;
  record.state = static_cast<std::uint32_t>(SegmentState::kOpen);
  record.end = 0;
  record.used_before = 1;
  // First the record: from then on a recovery looks for batches here, and no header is needed for
  // that.
  Status status = control_.WriteRecord(*segment, record);
  if (status.ok()) status = WriteHeader(*segment);
  if (!status.ok()) return MediumError(status);
  Info& info = info_[*segment];
  info.committed.store(static_cast<std::uint32_t>(kFirstBatch));
  info.synced.store(static_cast<std::uint32_t>(kFirstBatch));
  info.marked.store(0);
  info.merged_whole.store(false);
  info.granted.store(++grants_);
  info.stream = stream;
  info.followable.store(record.generation);
  info.state.store(record.state, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  unmerged_[stream].push_back(*segment);
  return *segment;
}

Status SegmentSpace::Seal(std::uint64_t segment, std::uint64_t end) {
  SegmentRecord record = control_.record(segment);
  record.state = static_cast<std::uint32_t>(SegmentState::kSealed);
  record.end = static_cast<std::uint32_t>(end);
  if (Status status = control_.WriteRecord(segment, record); !status.ok()) {
    return MediumError(status);
  }
  Info& info = info_[segment];
  info.committed.store(record.end);
  info.state.store(record.state, std::memory_order_release);
  return OkStatus();
}

Status SegmentSpace::Cut(std::uint64_t segment, std::uint64_t end) {
  if (Status status = Seal(segment, end); !status.ok()) return status;
  info_[segment].synced.store(static_cast<std::uint32_t>(end));
  return OkStatus();
}

Status SegmentSpace::Free(std::uint64_t segment) {
  SegmentRecord record = control_.record(segment);
  if (record.state != static_cast<std::uint32_t>(SegmentState::kSealed)) {
    return Internal(fmt::format("segment {} was to be freed while it is not sealed", segment));
  }
  record.state = static_cast<std::uint32_t>(SegmentState::kFree);
  ++record.generation;
  record.end = 0;
  if (Status status = control_.WriteRecord(segment, record); !status.ok()) {
    return MediumError(status);
  }
  info_[segment].generation.store(record.generation, std::memory_order_release);
  info_[segment].state.store(record.state, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  free_.push_back(segment);
  return OkStatus();
}

Status SegmentSpace::ZeroAhead(std::uint64_t wanted) {
  if (!on_files_) return OkStatus();
  for (;;) {
    std::uint64_t segment = 0;
    {
      const std::lock_guard lock(mutex_);
      if (free_.size() >= wanted || free_fresh_.empty()) return OkStatus();
      segment = free_fresh_.front();
      free_fresh_.pop_front();
    }
    const std::vector<std::byte> zeros(std::min(kZeroChunkBytes, segment_bytes_));
    Status status;
    for (std::uint64_t at = 0; at < segment_bytes_ && status.ok(); at += zeros.size()) {
      const std::uint64_t bytes = std::min<std::uint64_t>(zeros.size(), segment_bytes_ - at);
      status = log_.Write(begin_of(segment) + at, std::span(zeros).first(bytes));
    }
    if (status.ok()) status = log_.Persist(begin_of(segment), segment_bytes_, PersistSite::kFormat);
    SegmentRecord record = control_.record(segment);
    record.used_before = 1;
    if (status.ok()) status = control_.WriteRecord(segment, record);
    if (!status.ok()) return MediumError(status);
    const std::lock_guard lock(mutex_);
    free_.push_back(segment);
  }
}

std::vector<std::pair<StreamId, std::vector<std::uint64_t>>> SegmentSpace::Unmerged() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<StreamId, std::vector<std::uint64_t>>> streams;
  streams.reserve(unmerged_.size());
  for (const auto& [stream, segments] : unmerged_) {
    streams.emplace_back(stream, std::vector(segments.begin(), segments.end()));
  }
  return streams;
}

std::uint64_t SegmentSpace::unmerged(StreamId stream) const {
  const std::lock_guard lock(mutex_);
  const auto found = unmerged_.find(stream);
  return found == unmerged_.end() ? 0 : found->second.size();
}

void SegmentSpace::SetMergedWhole(std::uint64_t segment) {
  info_[segment].merged_whole.store(true, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  const auto stream = unmerged_.find(info_[segment].stream);
  if (stream == unmerged_.end()) return;
  std::erase(stream->second, segment);
  if (stream->second.empty()) unmerged_.erase(stream);
}

}  // namespace cirein::dpm
