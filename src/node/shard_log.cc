// SPDX-License-Identifier: Apache-2.0
#include "node/shard_log.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/sabotage.h"

namespace cirein::node {

namespace {

/// So much of a large object is written and summed at once: it fits in the cache in between.
constexpr std::size_t kExtentChunkBytes = std::size_t{256} << 10;

}  // namespace

ShardLog::ShardLog(std::shared_ptr<dpm::Dpm> pool, std::uint32_t shard, const Clock& clock,
                   Executor& executor, Commit commit)
    : pool_(std::move(pool)),
      at_once_(pool_->durability() == dpm::Durability::kProcess && commit == Commit::kEach),
      large_bytes_(pool_->superblock().large_bytes),
      clock_(clock),
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
  if (at_once_) {
    // No medium to wait for: what is written is kept.
    failed_ = writer_->Commit();
    if (!failed_.ok()) return failed_;
    kept_.store(last, std::memory_order_release);
  }
  return last;
}

void ShardLog::Fly(std::unique_lock<std::mutex>& lock) {
  const std::uint64_t last = writer_->staged_entries();
  if (!writer_->BeginFlight()) {
    // With nothing staged all of it was written already.
    if (!writer_->has_staged() && !writer_->in_flight()) {
      kept_.store(last, std::memory_order_release);
    }
    return;
  }
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
  const auto is_kept = [this](const Waiting& waiting) {
    return waiting.ordinal <= kept() && pool_->AreJudgementsKept(waiting.judgements);
  };
  const auto due = [&](const Waiting& waiting) { return !failed_.ok() || is_kept(waiting); };
  const auto first = std::stable_partition(waiting_.begin(), waiting_.end(),
                                           [&](const Waiting& each) { return !due(each); });
  if (first == waiting_.end()) return;
  std::vector<Waiting> answered(std::make_move_iterator(first),
                                std::make_move_iterator(waiting_.end()));
  waiting_.erase(first, waiting_.end());
  const Status failed = failed_;
  lock.unlock();
  // What is kept stays so.
  for (Waiting& each : answered) each.done(is_kept(each) ? OkStatus() : failed);
  lock.lock();
}

Status ShardLog::Await(std::uint64_t ticket) {
  if (!pool_->AreJudgementsKept(pool_->judgements_asked())) {
    CIREIN_RETURN_IF_ERROR(pool_->KeepJudgements());
  }
  const std::uint64_t ordinal = ticket - 1;
  if (kept() >= ordinal || Sabotaged(Sabotage::kAnswerBeforeKept)) return OkStatus();
  std::unique_lock lock(mutex_);
  while (kept() < ordinal) {
    if (!failed_.ok()) return failed_;
    FlyOrWait(lock);
  }
  return OkStatus();
}

void ShardLog::WhenKept(std::uint64_t ticket, std::function<void(Status)> done) {
  if (Sabotaged(Sabotage::kAnswerBeforeKept)) return done(OkStatus());
  const std::uint64_t ordinal = ticket - 1;
  const std::uint64_t judgements = pool_->judgements_asked();
  {
    std::unique_lock lock(mutex_);
    const bool waits = kept() < ordinal || !pool_->AreJudgementsKept(judgements);
    if (waits && failed_.ok()) {
      waiting_.push_back({ordinal, judgements, std::move(done)});
      if (std::exchange(flying_for_waiting_, true)) return;
      lock.unlock();
      return SubmitFlight();
    }
    if (waits) {
      const Status failed = failed_;
      lock.unlock();
      return done(failed);
    }
  }
  done(OkStatus());
}

void ShardLog::SubmitFlight() {
  const auto self = shared_from_this();
  // Where no thread is to be had this one must do it.
  if (!executor_.Submit([self] { self->FlyForWaiting(); }).ok()) FlyForWaiting();
}

void ShardLog::FlyForWaiting() {
  const Status judgements = pool_->KeepJudgements();
  std::unique_lock lock(mutex_);
  if (!judgements.ok() && failed_.ok()) failed_ = judgements;
  AnswerKept(lock);
  if (!waiting_.empty()) {
    FlyOrWait(lock);
    AnswerKept(lock);
  }
  flying_for_waiting_ = !waiting_.empty();
  if (!flying_for_waiting_) return;
  lock.unlock();
  // Others have their turn on this thread in between.
  SubmitFlight();
}

ShardLog::Extent::~Extent() {
  // What cannot be removed now is removed at the next open: no entry names it.
  if (!named_) static_cast<void>(log_->pool_->extents().Remove(number_).ok());
  log_->EndPrepare();
}

Status ShardLog::BeginPrepare() {
  const std::lock_guard lock(mutex_);
  if (closing_) return Unavailable("the pool is closed");
  ++preparing_;
  return OkStatus();
}

void ShardLog::EndPrepare() {
  const std::lock_guard lock(mutex_);
  if (--preparing_ == 0) landed_.notify_all();
}

Result<std::unique_ptr<dpm::ExtentStore::Writer>> ShardLog::CreateExtent(const KeyView& key,
                                                                         std::uint64_t data_bytes) {
  auto created = pool_->extents().Create(key, data_bytes);
  if (created.status().code() != StatusCode::kResourceExhausted) return created;
  // Large objects that have expired give up their room, if the pool knows what time it is.
  const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.WallNow());
  pool_->ObserveTime(static_cast<std::uint64_t>(wall.count()));
  return pool_->extents().Create(key, data_bytes);
}

Status ShardLog::Prepare(const KeyView& key, PutRequest& request) {
  if (Status status = pool_->status(); !status.ok()) return status;
  CIREIN_RETURN_IF_ERROR(BeginPrepare());
  const auto data_bytes = request.object.data_bytes();
  std::shared_ptr<Extent> extent;
  Status written = [&]() -> Status {
    CIREIN_ASSIGN_OR_RETURN(const auto writer, CreateExtent(key, data_bytes));
    for (auto data = request.object.data(); !data.empty();) {
      const auto chunk = data.first(std::min(data.size(), kExtentChunkBytes));
      CIREIN_RETURN_IF_ERROR(writer->Append(chunk));
      data = data.subspan(chunk.size());
    }
    std::uint64_t checksum = 0;
    CIREIN_RETURN_IF_ERROR(writer->Finish(&checksum));
    extent = std::make_shared<Extent>(shared_from_this(), writer->number(), checksum);
    return OkStatus();
  }();
  if (!written.ok()) {
    EndPrepare();
    return written;
  }
  // From here on everybody sees the extent, which nobody can write any more, instead of memory that
  // the publisher may still write to.
  CIREIN_ASSIGN_OR_RETURN(auto opened, pool_->extents().Open(extent->number(), data_bytes));
  CIREIN_ASSIGN_OR_RETURN(request.object,
                          DataObject::View(opened.bytes, std::move(opened.region),
                                           request.object.meta(), request.object.type()));
  request.prepared = std::move(extent);
  return OkStatus();
}

Status ShardLog::Close() {
  static_cast<void>(pool_->KeepJudgements().ok());  // Who waits for one hears of its failure.
  std::unique_lock lock(mutex_);
  closing_ = true;
  landed_.wait(lock, [this] { return preparing_ == 0; });
  while (failed_.ok() && (writer_->in_flight() || writer_->has_staged())) FlyOrWait(lock);
  Status closed = failed_;
  if (closed.ok()) closed = writer_->Seal();
  if (failed_.ok()) failed_ = closed.ok() ? Unavailable("the pool is closed") : closed;
  // Those for whom no thread was to be had any more: what they hold may hold this log.
  AnswerKept(lock);
  return closed;
}

}  // namespace cirein::node
