// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "dpm/layout.h"
#include "region/region.h"

namespace cirein::dpm {

/// What an open, verify or repair noticed. `segment` and `offset` say where, when it is in the log.
struct Finding {
  enum class Severity : std::uint8_t {
    kNote,        ///< As expected after a crash: a torn tail, a twin that was made good.
    kCorruption,  ///< Something promised is not there.
  };
  Severity severity = Severity::kNote;
  std::string what;  ///< A sentence that names segment and entry.
  std::optional<std::uint64_t> segment;
  std::optional<std::uint64_t> offset;
};
using Findings = std::vector<Finding>;

/// The control region: superblock, segment table, slot roots, each kept twice. What it holds in memory
/// is what is on the medium. Thread-safe by a lock; changes block until they are persistent.
class Control {
 public:
  /// Formats the region for this superblock: all segments free with generation 1, all slot roots at
  /// epoch 0. The superblock itself is not written: WriteSuperblock does that, last of all of a new
  /// pool.
  static Result<std::unique_ptr<Control>> Format(std::unique_ptr<Region> region,
                                                 const Superblock& superblock);
  /// Reads all. Believes nothing: FailedPrecondition for a file that is no pool, another format version
  /// or byte order; DataLoss when both copies of a record are invalid, naming it. A copy that differs
  /// from its twin, or is invalid, is noted, and made good when `mend` says so.
  enum class Mend : std::uint8_t { kNo, kYes };
  /// With `tolerant` findings instead of errors for records: such a segment counts as kOpen with the
  /// generation its header in the log claims, if that is valid, and else as free.
  enum class Damage : std::uint8_t { kFail, kReport };
  static Result<std::unique_ptr<Control>> Open(std::unique_ptr<Region> region, const Region& log,
                                               Mend mend, Damage damage, Findings* findings);
  /// Only the superblock, for messages and `inspect`; from a region of any content.
  static Result<Superblock> ReadSuperblock(const Region& region);

  const Superblock& superblock() const noexcept { return superblock_; }
  std::uint64_t segments() const noexcept { return superblock_.segments; }
  std::uint64_t pool_id() const noexcept { return superblock_.pool_id; }
  std::uint64_t segment_bytes() const noexcept { return superblock_.segment_bytes; }
  std::uint64_t seed(std::uint64_t segment) const {
    return SegmentSeed(pool_id(), segment, record(segment).generation);
  }

  /// Sets checksum and the count of writes, and persists both copies.
  Status WriteSuperblock(Superblock superblock);
  /// A copy of a segment's record; not thread-safe against a WriteRecord of the same segment.
  SegmentRecord record(std::uint64_t segment) const { return records_[segment]; }
  /// Persists both copies of the record.
  Status WriteRecord(std::uint64_t segment, SegmentRecord record);

  SlotRoot slot_root(std::uint32_t slot) const { return roots_[slot]; }
  /// Persists both copies of all roots from `first` on, at once.
  Status WriteSlotRoots(std::uint32_t first, std::vector<SlotRoot> roots);

 private:
  Control(std::unique_ptr<Region> region, const Superblock& superblock);
  std::unique_ptr<Region> region_;
  Superblock superblock_;
  ControlLayout layout_;
  std::vector<SegmentRecord> records_;
  std::vector<SlotRoot> roots_;
  std::mutex mutex_;
};

}  // namespace cirein::dpm
