// SPDX-License-Identifier: Apache-2.0
#include "node/shard_log.h"

#include <algorithm>
#include <utility>

namespace cirein::node {

namespace {

/// So much of a large object is written and summed at once: it fits in the cache in between.
constexpr std::size_t kExtentChunkBytes = std::size_t{256} << 10;

}  // namespace

ShardLog::ShardLog(std::shared_ptr<dpm::Dpm> pool, std::uint32_t shard, Executor& executor)
    : pool_(std::move(pool)),
      power_(pool_->durability() == dpm::Durability::kPower),
      large_bytes_(pool_->superblock().large_bytes),
      executor_(executor),
      writer_(pool_->NewWriter(shard)) {}

ShardLog::~ShardLog() = default;

Result<std::uint64_t> ShardLog::Append(std::span<const dpm::EntryFields> group,
                                       std::span<dpm::Location> locations) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!failed_.ok()) return failed_;
    CIREIN_ASSIGN_OR_RETURN(const dpm::LogWriter::Staged staged, writer_->Stage(group, locations));
    if (staged == dpm::LogWriter::Staged::kStaged) break;
    FlyOrWait(lock);
  }
  const std::uint64_t last = writer_->staged_entries();
  if (!power_) {
    // No medium to wait for: what is written is kept.
    failed_ = writer_->Commit();
    if (!failed_.ok()) return failed_;
    kept_.store(last, std::memory_order_release);
  }
  return last;
}

void ShardLog::Fly(std::unique_lock<std::mutex>& lock) {
  const std::uint64_t last = writer_->staged_entries();
  if (!writer_->BeginFlight()) return;
  lock.unlock();
  const Status persisted = writer_->PersistFlight();
  lock.lock();
  if (Status ended = writer_->EndFlight(persisted); !ended.ok()) {
    failed_ = ended;
  } else {
    kept_.store(last, std::memory_order_release);
  }
  landed_.notify_all();
}

void ShardLog::FlyOrWait(std::unique_lock<std::mutex>& lock) {
  if (writer_->in_flight()) {
    landed_.wait(lock);
  } else {
    Fly(lock);
  }
}

void ShardLog::AnswerKept(std::unique_lock<std::mutex>& lock) {
  const auto due = [this](const Waiting& waiting) {
    return !failed_.ok() || waiting.ticket <= kept();
  };
  const auto first = std::stable_partition(waiting_.begin(), waiting_.end(),
                                           [&](const Waiting& each) { return !due(each); });
  if (first == waiting_.end()) return;
  std::vector<Waiting> answered(std::make_move_iterator(first),
                                std::make_move_iterator(waiting_.end()));
  waiting_.erase(first, waiting_.end());
  const Status failed = failed_;
  const std::uint64_t kept_now = kept();
  lock.unlock();
  for (Waiting& each : answered) each.done(each.ticket <= kept_now ? OkStatus() : failed);
  lock.lock();
}

Status ShardLog::Await(std::uint64_t ticket) {
  if (kept() >= ticket) return OkStatus();
  std::unique_lock lock(mutex_);
  while (kept() < ticket) {
    if (!failed_.ok()) return failed_;
    FlyOrWait(lock);
  }
  return OkStatus();
}

void ShardLog::WhenKept(std::uint64_t ticket, std::function<void(Status)> done) {
  {
    std::unique_lock lock(mutex_);
    if (kept() < ticket && failed_.ok()) {
      waiting_.push_back({ticket, std::move(done)});
      if (std::exchange(flying_for_waiting_, true)) return;
      lock.unlock();
      const auto self = shared_from_this();
      // Where no thread is to be had this one must do it.
      if (!executor_.Submit([self] { self->FlyForWaiting(); }).ok()) FlyForWaiting();
      return;
    }
    if (kept() < ticket) {
      const Status failed = failed_;
      lock.unlock();
      return done(failed);
    }
  }
  done(OkStatus());
}

void ShardLog::FlyForWaiting() {
  std::unique_lock lock(mutex_);
  for (;;) {
    AnswerKept(lock);
    if (waiting_.empty()) break;
    FlyOrWait(lock);
  }
  flying_for_waiting_ = false;
}

ShardLog::Extent::~Extent() {
  // What cannot be removed now is removed at the next open: no entry names it.
  if (!named_) static_cast<void>(pool_->extents().Remove(number_).ok());
}

Status ShardLog::Prepare(const KeyView& key, PutRequest& request) {
  if (Status status = pool_->status(); !status.ok()) return status;
  CIREIN_ASSIGN_OR_RETURN(const auto writer,
                          pool_->extents().Create(key, request.object.data_bytes()));
  for (auto data = request.object.data(); !data.empty();) {
    const auto chunk = data.first(std::min(data.size(), kExtentChunkBytes));
    CIREIN_RETURN_IF_ERROR(writer->Append(chunk));
    data = data.subspan(chunk.size());
  }
  std::uint64_t checksum = 0;
  CIREIN_RETURN_IF_ERROR(writer->Finish(&checksum));
  request.prepared = std::make_shared<Extent>(pool_, writer->number(), checksum);
  // From here on everybody sees the extent, which nobody can write any more, instead of memory that
  // the publisher may still write to.
  CIREIN_ASSIGN_OR_RETURN(auto extent,
                          pool_->extents().Open(writer->number(), request.object.data_bytes()));
  CIREIN_ASSIGN_OR_RETURN(request.object,
                          DataObject::View(extent.bytes, std::move(extent.region),
                                           request.object.meta(), request.object.type()));
  return OkStatus();
}

Status ShardLog::Close() {
  std::unique_lock lock(mutex_);
  while (failed_.ok() && (writer_->in_flight() || writer_->has_staged())) FlyOrWait(lock);
  if (!failed_.ok()) return failed_;
  if (Status sealed = writer_->Seal(); !sealed.ok()) return sealed;
  failed_ = Unavailable("the pool is closed");
  return OkStatus();
}

}  // namespace cirein::node
