// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
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

/// The control region: superblock, segment table, slot roots, each kept twice. What it holds in
/// memory is what is on the medium. Changes are thread-safe by a lock, and block until they are
/// persistent; reading a record is not safe against a change of the same one.
///
/// When a change fails, what is in memory stays as it was, but the medium may hold the old record
/// or the new one: the caller tries again, or takes nothing for granted until the next open.
class Control {
 public:
  /// Formats the region for this superblock: all segments free with generation 1, all slot roots at
  /// epoch 0. The superblock itself is not written: WriteSuperblock does that, last of all of a new
  /// pool. Magic, format and slots are filled in. InvalidArgument for numbers that no pool may
  /// have, or a region that is not ControlLayout::bytes() long.
  static Result<std::unique_ptr<Control>> Format(std::unique_ptr<Region> region,
                                                 const Superblock& superblock);
  /// What to do with a copy that differs from its twin, or is invalid: only note it (until
  /// something is changed), or make it good.
  enum class Mend : std::uint8_t { kNo, kYes };
  /// What to do when both copies of a record are invalid. kReport: a finding instead of an error;
  /// such a segment counts as kOpen with the generation its header in the log claims, if that is
  /// valid, and else as free with a generation beyond all that were seen; such a slot as granted at
  /// the highest epoch, with the latest clock floor of all. The medium is left as it is until the
  /// record is written.
  enum class Damage : std::uint8_t { kFail, kReport };
  /// Reads all. Believes nothing: FailedPrecondition for a file that is no pool, another format
  /// version or byte order; DataLoss when both copies of a record are invalid, naming it, when both
  /// copies of the superblock are, or when a file is shorter or longer than the superblock says.
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

  /// Sets checksum and the count of writes, and persists both copies. InvalidArgument when it
  /// changes what cannot be changed (pool id, format, numbers and sizes of segments).
  Status WriteSuperblock(Superblock superblock);
  SegmentRecord record(std::uint64_t segment) const { return records_[segment]; }
  /// Persists both copies of the record. InvalidArgument for one that no open would accept.
  Status WriteRecord(std::uint64_t segment, SegmentRecord record);

  SlotRoot slot_root(std::uint32_t slot) const { return roots_[slot]; }
  /// Persists both copies of all roots from `first` on, at once. InvalidArgument beyond the last
  /// slot.
  Status WriteSlotRoots(std::uint32_t first, std::vector<SlotRoot> roots);

 private:
  class Reader;
  // Bytes that make a copy equal to its valid twin.
  struct Repair {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;
    PersistSite site = PersistSite::kSegmentRecord;
  };
  // Where the two copies of what is written are.
  struct TwinPlace {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
  };

  Control(std::unique_ptr<Region> region, const Superblock& superblock);
  Status WriteAndPersist(std::uint64_t offset, std::span<const std::byte> bytes, PersistSite site);
  Status WriteTwice(TwinPlace place, std::span<const std::byte> bytes, PersistSite site);
  Status MakeGood();

  std::unique_ptr<Region> region_;
  Superblock superblock_;
  ControlLayout layout_;
  std::vector<SegmentRecord> records_;
  std::vector<SlotRoot> roots_;
  std::mutex mutex_;
  // A change begins with copy A and trusts B to be whole, so these come first.
  std::vector<Repair> repairs_;
};

}  // namespace cirein::dpm
