// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cirein/status.h"

#include "crash/timeline.h"
#include "dpm/dpm.h"
#include "region/shadow_space.h"

namespace cirein::crash {

struct Setting {
  ShadowSpace::Medium medium = ShadowSpace::Medium::kFlushable;
  dpm::Durability durability = dpm::Durability::kProcess;
  bool power() const { return durability == dpm::Durability::kPower; }
  bool flushable() const { return medium == ShadowSpace::Medium::kFlushable; }
};
std::string NameOf(const Setting& setting);

/// How a pool ended.
enum class Crash : std::uint8_t { kProcess, kPower };

/// The rows of a shard: some share a slot, so that its table grows.
inline constexpr std::size_t kRowsPerShard = 24;
std::string RowName(std::size_t shard, std::size_t row);

/// Reads all that a pool holds of the shards' rows; fails when something cannot be read, or is seen
/// by one way and not by the other.
Result<Observation> Observe(dpm::Dpm& pool, dpm::ReadEpochs::Reader& reader);

/// A pool on a shadow space, what it was told, and what it must therefore know after a crash at
/// each event. One thread.
class PoolRun {
 public:
  /// A space with these contents; `known` is what they must hold.
  PoolRun(const Setting& setting, SpaceImage image, std::string boot_id, const Expectation& known);
  /// What the end of a process leaves, in the same boot: what is on the medium, and what is only
  /// seen through caches.
  struct Left {
    SpaceImage durable;
    SpaceImage seen;
    Expectation killed;  ///< What is seen must hold this,
    Expectation cut;     ///< and what a power cut leaves of it, that.
  };
  PoolRun(const Setting& setting, Left left, std::string boot_id);
  ~PoolRun();

  /// Opens the pool, and sees whether it holds what it must. From then on what it holds is
  /// promised.
  Status Open();
  /// One group; acknowledged by Commit. ResourceExhausted: nothing was written.
  Status Stage(std::size_t shard, const Group& group);
  Status Commit(std::size_t shard);
  Status Apply(std::size_t shard, const Group& group);
  Status Sync();
  Status Work(dpm::Dpm::Urgency urgency);
  Status RaiseClockFloor(std::uint64_t now_ms);
  /// The process dies, and another one opens the pool.
  Status KillAndOpen();
  /// It dies after a commit wrote, and before it persisted (Durability::kPower).
  Status KillInCommitAndOpen(std::size_t shard);
  Status Close();
  Status CloseAndOpen();
  /// Does the open pool hold all that it was told?
  Status CheckNow();

  /// Events since which something rare was done: freeing, cleaning, opening. Worth a closer look.
  struct Span {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
  };
  const std::vector<Span>& rare() const { return rare_; }
  Expectation At(std::uint64_t point, Crash crash) const;

  const Setting& setting() const { return setting_; }
  ShadowSpace& space() { return *space_; }
  dpm::Dpm& pool() { return *pool_; }
  dpm::LogWriter& writer(std::size_t shard) { return *writers_[shard]; }
  std::uint64_t events() const { return space_->events(); }
  const Model& model(std::size_t shard) const { return now_->shards[shard].newest(); }
  const dpm::Findings& findings() const { return findings_; }
  /// By the last Open.
  const Observation& seen() const { return seen_; }

  struct Counts {
    std::uint64_t groups = 0;
    std::uint64_t cleaned = 0;
    std::uint64_t freed = 0;
    std::uint64_t forgotten = 0;
    std::uint64_t full = 0;
    std::uint64_t opens = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Phase {
    std::uint64_t from = 0;
    std::shared_ptr<Knowledge> knowledge;
  };
  struct Floor {
    std::uint64_t value_ms = 0;
    std::uint64_t begun_at = 0;
    std::uint64_t done_at = kNever;
  };
  Result<std::vector<dpm::EntryFields>> FieldsOf(const Group& group, std::size_t shard);
  void NoteWork(std::uint64_t from, const dpm::Dpm::WorkDone& done);
  void Drop();

  const Setting setting_;
  const std::string boot_id_;
  const std::shared_ptr<ShadowSpace> space_;
  std::vector<Phase> phases_;
  std::shared_ptr<Knowledge> now_;
  std::vector<Floor> floors_;
  std::vector<Span> rare_;
  Counts counts_;

  std::unique_ptr<dpm::Dpm> pool_;
  std::array<std::unique_ptr<dpm::LogWriter>, kShards> writers_;
  std::array<std::uint64_t, kShards> counters_{};
  std::array<std::size_t, kShards> committed_{};
  dpm::Findings findings_;
  Observation seen_;
  std::vector<std::string> data_;  // What the fields of a group point to.
  std::vector<dpm::RowRecord> records_;
};

/// A new pool for tests of this kind.
dpm::CreateOptions TinyPool(const Setting& setting, std::uint64_t pool_id, std::uint64_t segments);
SpaceImage NewPool(const Setting& setting, std::uint64_t pool_id, std::uint64_t segments);
/// Of a new pool: it holds nothing.
Expectation Nothing();

}  // namespace cirein::crash
