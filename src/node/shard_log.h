// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "dpm/dpm.h"
#include "object/engine.h"
#include "runtime/clock.h"
#include "runtime/executor.h"

namespace cirein::node {

/// The log of one shard, with group commit: whoever needs a batch to be kept takes it to the medium
/// for all who wait; those who come meanwhile share the next one. And the other things an engine
/// asks of the pool beside its partition.
///
/// Entries are counted: the n-th is kept when kept() has reached n, and in the index when merged()
/// has. With Durability::kProcess an entry is kept when Append returns, unless it is asked to wait
/// for others (Commit::kTogether). An extent's data is written by Prepare, before the entry that
/// names it.
///
/// Thread-safe: several partitions may share one log, and then a group of it may be of several.
class ShardLog final : public Keeper, public std::enable_shared_from_this<ShardLog> {
 public:
  /// When what is staged is written, at Durability::kProcess.
  enum class Commit : std::uint8_t {
    kEach,      ///< At once: for callers that each wait for their own.
    kTogether,  ///< When somebody must know that it is kept: for a host that asks once for many.
  };
  /// `executor` runs what nobody waits for; it may block. It and `clock` outlive Close.
  ShardLog(std::shared_ptr<dpm::Dpm> pool, std::uint32_t shard, const Clock& clock,
           Executor& executor, Commit commit = Commit::kEach);
  ~ShardLog() override;

  /// Stages a group, all or none: where its entries will be, and the number of the last one. Blocks
  /// where the pool must make room. Errors as LogWriter::Stage; ResourceExhausted changes nothing.
  Result<std::uint64_t> Append(std::span<const dpm::EntryFields> group,
                               std::span<dpm::Location> locations);
  std::uint64_t kept() const noexcept { return kept_.load(std::memory_order_acquire); }
  std::uint64_t merged() const noexcept { return writer_->merged_entries(); }
  /// No group is larger.
  std::uint64_t max_group_bytes() const noexcept { return writer_->max_batch_bytes(); }
  bool keeps_at_once() const noexcept { return at_once_; }

  /// The ticket for entry `ordinal`, and for all that the pool has judged of expiry so far; for
  /// that alone with ordinal 0.
  static constexpr std::uint64_t TicketFor(std::uint64_t ordinal) { return ordinal + 1; }
  Status Await(std::uint64_t ticket) override;
  void WhenKept(std::uint64_t ticket, std::function<void(Status)> done) override;

  std::uint64_t prepare_bytes() const override { return large_bytes_; }
  Status Prepare(const KeyView& key, PutRequest& request) override;

  /// What Prepare has made: removed with this object, unless an entry that names it was staged. The
  /// log is not closed while there is one.
  class Extent {
   public:
    Extent(std::shared_ptr<ShardLog> log, std::uint64_t number, std::uint64_t checksum)
        : log_(std::move(log)), number_(number), checksum_(checksum) {}
    ~Extent();
    Extent(const Extent&) = delete;
    Extent& operator=(const Extent&) = delete;
    std::uint64_t number() const noexcept { return number_; }
    std::uint64_t checksum() const noexcept { return checksum_; }
    void SetNamed() noexcept { named_ = true; }

   private:
    const std::shared_ptr<ShardLog> log_;
    const std::uint64_t number_;
    const std::uint64_t checksum_;
    bool named_ = false;
  };

  /// Keeps what is staged, seals the log and answers all who wait. Nothing is appended after it.
  /// Blocks for as long as large objects are being written.
  Status Close();

 private:
  struct Waiting {
    std::uint64_t ordinal = 0;
    std::uint64_t judgements = 0;  // How far they must be kept.
    std::function<void(Status)> done;
  };

  /// Brings what is staged to the medium; the lock is left meanwhile. Nothing may be on its way.
  void Fly(std::unique_lock<std::mutex>& lock);
  /// Waits for the batch that is on its way, or takes the staged one.
  void FlyOrWait(std::unique_lock<std::mutex>& lock);
  /// Answers those in `waiting_` whose time has come; the lock is left meanwhile. Never on a thread
  /// that may hold a partition's lock, which their answers may need.
  void AnswerKept(std::unique_lock<std::mutex>& lock);
  void FlyForWaiting();
  /// One flight for those whom nobody waits for, where a thread is to be had; then the next.
  void SubmitFlight();
  Result<std::unique_ptr<dpm::ExtentStore::Writer>> CreateExtent(const KeyView& key,
                                                                 std::uint64_t data_bytes);
  Status BeginPrepare();
  void EndPrepare();

  const std::shared_ptr<dpm::Dpm> pool_;
  const bool at_once_;
  const std::uint64_t large_bytes_;
  const Clock& clock_;
  Executor& executor_;
  const std::unique_ptr<dpm::LogWriter> writer_;
  std::atomic<std::uint64_t> kept_{0};

  std::mutex mutex_;  // Of the writer and all below.
  std::condition_variable landed_;
  Status failed_;
  std::vector<Waiting> waiting_;
  bool flying_for_waiting_ = false;
  std::uint64_t preparing_ = 0;  // Extents that no entry names yet.
  bool closing_ = false;
};

}  // namespace cirein::node
