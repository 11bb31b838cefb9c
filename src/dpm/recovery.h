// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "cirein/status.h"

#include "dpm/dpm.h"
#include "dpm/log_ends.h"

namespace cirein::dpm {

/// Dpm::Create.
Status CreatePool(RegionSpace& space, const CreateOptions& options);

/// Dpm::Open: from whatever a clean close, the end of a process or of the machine left, to a pool
/// in which every acknowledged write is in the index. Steps, each of which a crash may follow:
///
///   1. Lock; persist and read the control region. Decide whether the index is to be believed:
///   after a
///      clean close; after the end of the process alone (the caches live); after a power cut only
///      where the index itself was persisted step by step (flushable, kPower). Else, or if it does
///      not fit together, it is made anew from the log (SAFETY 6).
///   2. Look at the end of every log that may have a torn one (SAFETY 4). Damage of what was
///   promised
///      ends the open here; so far only twins were mended and the index was tidied.
///   3. Persist what this opening is: the epoch and the incarnation (SAFETY 7), then the slot
///   roots. From
///      here on the pool is not clean.
///   4. Persist what the last process left in the caches, then the end of every log that had none
///   (SAFETY
///      2, 3).
///   5. Merge. Then remove the extents that no entry names.
/// A crash in between leaves what the next open begins with, as the first did: ends that were
/// recorded stay, merging again changes nothing.
class Recovery {
 public:
  Recovery(std::unique_ptr<RegionSpace> space, const OpenOptions& options, Findings* findings);
  Result<std::unique_ptr<Dpm>> Run();

 private:
  Status OpenRegions();
  Index::Options IndexOptions() const;
  Status OpenIndex();
  Status FindEnds();
  Status MakeIndex();
  void Note(std::uint64_t segment, std::uint64_t offset, std::string what);
  Status TakeOver();
  Status SyncLog();
  Status RecordEnds();
  Status SaveDamaged();
  Status Merge();
  Status MergeOnce();
  Status StartIndexAnew(std::string_view why);
  void SetBootId(Superblock& superblock) const;
  Status FinishRebuild();
  Status RecountLiveBytes();
  Status RemoveOrphans();

  const OpenOptions options_;
  Findings* const findings_;
  std::unique_ptr<Dpm> dpm_;
  LeftAs left_;
  bool rebuild_ = false;
  std::vector<LogEnd> ends_;  // Those that are not recorded.
};

}  // namespace cirein::dpm
