// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "dpm/control.h"
#include "dpm/entry.h"
#include "region/region.h"

namespace cirein::dpm {

/// The large objects' data, each in a region of its own (SAFETY 18). An extent is written whole and
/// persisted before the entry that names it is committed, and never changed. One that no entry
/// names, because a crash came between, is removed at the next open. A number is never used again:
/// the superblock holds a ceiling that is raised, persistently, before numbers below it are given.
///
/// Removing one leaves views of it intact: who holds the region keeps its bytes.
///
/// Thread-safe. Create, Write and Finish block for the medium.
class ExtentStore {
 public:
  /// `await_room` is asked to free what is dead when there is no room; then Create tries once more.
  ExtentStore(RegionSpace& space, Control& control, std::function<Status()> await_room);

  /// An extent that is being written, by one thread; without Finish it is removed with it.
  class Writer {
   public:
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    std::uint64_t number() const noexcept { return number_; }
    /// Puts the next bytes.
    Status Append(ByteSpan bytes);
    /// The extent is complete and persistent; `*checksum` is the data's, for the entry. When no
    /// entry that names it is committed after all, Remove it: until the next open nobody else does.
    Status Finish(std::uint64_t* checksum);

   private:
    friend class ExtentStore;
    Writer(ExtentStore& store, std::uint64_t number, std::uint64_t data_bytes)
        : store_(store), number_(number), data_bytes_(data_bytes) {}
    ExtentStore& store_;
    const std::uint64_t number_;
    const std::uint64_t data_bytes_;
    std::uint64_t written_ = 0;
    std::unique_ptr<Region> region_;
    std::vector<std::byte> tail_;  // Key and trailer.
    Checksummer checksum_{kPayloadSeed};
    bool finished_ = false;
  };
  /// Room for the data of this key. ResourceExhausted beyond the pool's limit for extents, or when
  /// the medium is full.
  Result<std::unique_ptr<Writer>> Create(const KeyView& key, std::uint64_t data_bytes);

  /// The extent's data, for as long as the result is held (also when the store is gone). DataLoss
  /// when it is missing or its size or trailer is not what the entry says. Does not read the data.
  struct Data {
    std::shared_ptr<const Region> region;
    ByteSpan bytes;
  };
  Result<Data> Open(std::uint64_t number, std::uint64_t data_bytes) const;

  /// No entry names it any more.
  Status Remove(std::uint64_t number);

  /// At an open: takes note of the extents there are. Those that are not `named` by a live entry
  /// are removed when `orphans` says so: only after a crash, which may have come between an extent
  /// and its entry, can there be any; at any other time a missing name means damage, and damage
  /// must not remove data.
  enum class Orphans : std::uint8_t { kKeep, kRemove };
  Status Recover(const std::set<std::uint64_t>& named, Orphans orphans, Findings* findings);
  /// Of all extents in the space.
  Result<std::vector<std::uint64_t>> Numbers() const;

  std::uint64_t used_bytes() const;
  /// Of extents that were removed while somebody holds their data: they take room until he lets go.
  /// Create refuses when they are as much as the limit for extents itself.
  std::uint64_t pinned_bytes() const;
  std::uint64_t count() const;
  static std::string Name(std::uint64_t number);

 private:
  Result<std::uint64_t> NextNumber();
  Result<std::uint64_t> Reserve(std::uint64_t data_bytes, std::uint64_t bytes);
  void Forget(std::uint64_t number);
  std::uint64_t SizeOf(std::uint64_t number) const;
  struct Known {
    std::uint64_t number = 0;
    std::uint64_t data_bytes = 0;
    KeyView key;
  };
  class Views;
  Status CheckPinned() const;
  bool ReadTrailer(const Region& region, std::uint64_t number, Known* known) const;

  RegionSpace& space_;
  Control& control_;
  const std::function<Status()> await_room_;
  const std::shared_ptr<Views> views_;
  mutable std::mutex mutex_;
  std::uint64_t next_ = 0;
  std::uint64_t used_bytes_ = 0;
  std::map<std::uint64_t, std::uint64_t> sizes_;  // By number; of the whole region.
};

}  // namespace cirein::dpm
