// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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
/// memory is what is on the medium. Thread-safe. Changes are made one after the other, and block
/// until they are persistent; reading does not wait for them, and gives what was persistent last.
///
/// When a change fails, what is in memory stays as it was, but the medium may hold the old record
/// or the new one: the caller tries again, or takes nothing for granted until the next open.
class Control {
 public:
  /// Formats the region for this superblock: all segments free with generation 1, all slot roots at
  /// epoch 0. The superblock itself is not written: UpdateSuperblock does that, last of all of a
  /// new pool. Magic, format and slots are filled in. InvalidArgument for numbers that no pool may
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

  Superblock superblock() const;
  std::uint64_t segments() const noexcept { return fixed_.segments; }
  std::uint64_t pool_id() const noexcept { return fixed_.pool_id; }
  std::uint64_t segment_bytes() const noexcept { return fixed_.segment_bytes; }
  std::uint64_t seed(std::uint64_t segment) const {
    return SegmentSeed(pool_id(), segment, record(segment).generation);
  }

  /// Lets `change` change the newest superblock, sets checksum and the count of writes, and
  /// persists both copies. `change` must not call this object, and may read what no other thread
  /// changes. InvalidArgument when it changes what cannot be changed (pool id, format, numbers and
  /// sizes of segments).
  Status UpdateSuperblock(const std::function<void(Superblock&)>& change);
  SegmentRecord record(std::uint64_t segment) const;
  /// Persists both copies of the record. InvalidArgument for one that no open would accept.
  Status WriteRecord(std::uint64_t segment, SegmentRecord record);

  SlotRoot slot_root(std::uint32_t slot) const;
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
  const Superblock fixed_;  // As it was at first, for the members that never change.
  ControlLayout layout_;

  mutable std::mutex state_mutex_;  // Of what is in memory; never held while anything is persisted.
  Superblock superblock_;
  std::vector<SegmentRecord> records_;
  std::vector<SlotRoot> roots_;

  std::mutex change_mutex_;  // Of what is on the medium; taken before state_mutex_.
  // A change begins with copy A and trusts B to be whole, so these come first.
  std::vector<Repair> repairs_;
};

}  // namespace cirein::dpm
