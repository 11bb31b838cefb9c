// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "region/region.h"

namespace cirein {

/// The bytes of a space at rest: file name to contents.
using SpaceImage = std::map<std::string, std::vector<std::byte>>;

/// A space in memory that remembers, for tests, every store and persist in order, so that after one
/// run the medium can be shown as a crash at any point would have left it.
///
/// Flushable: of each cache line (64 bytes, aligned) the medium holds what it held at the last persist
/// that covered it, or any later state the line went through, each line by itself. Files: the same for
/// sectors (512 bytes, aligned), a persist covering the whole file; a kWords region of a file space is
/// a dirty mapping, whose 4096-byte pages may reach the medium at any time. Names made or removed since
/// the last PersistNames are there or not, each by itself (but a file that a persisted name leads to
/// keeps its bytes as above).
///
/// Deterministic; single-threaded use, or the users' own lock.
class ShadowSpace final : public RegionSpace {
 public:
  enum class Medium : std::uint8_t { kFlushable, kFile };

  explicit ShadowSpace(Medium medium, std::string boot_id = "boot-1", SpaceImage image = {});
  ~ShadowSpace() override;

  const std::string& path() const override;
  const MediumTraits& traits() const override;
  const std::string& boot_id() const override;
  Status Lock() override;
  Result<std::unique_ptr<Region>> Create(const std::string& name, std::uint64_t bytes,
                                         RegionUse use) override;
  Result<std::unique_ptr<Region>> Open(const std::string& name, RegionUse use,
                                       Access access) override;
  Status Remove(const std::string& name) override;
  Status PersistNames(PersistSite site) override;
  Result<std::vector<Entry>> List() const override;

  /// How many events (stores, persists, changes of names) there were. A point p is the moment after
  /// the first p events.
  std::uint64_t events() const;
  /// From now on persists of this site do nothing; nullopt: all work again.
  void DropPersists(std::optional<PersistSite> site);
  /// How often each site persisted, dropped ones too.
  std::uint64_t persists(PersistSite site) const;
  /// From now on the next writes fail with this; e.g. a full or failing disk. OK: they work again.
  void FailWrites(Status status);
  void FailPersists(Status status);
  /// Creations beyond this many bytes in all fail with ResourceExhausted.
  void LimitBytes(std::uint64_t bytes);

  /// What the process's end at `point` leaves: every store before it.
  SpaceImage ProcessCrash(std::uint64_t point) const;
  /// What a power cut at `point` leaves: for each unit that is not persisted one of its states drawn
  /// by `random`. `keep_one_in`: 0 keeps nothing that was not persisted, 1 keeps all, n one in n.
  SpaceImage PowerCut(std::uint64_t point, Random& random, std::uint32_t keep_one_in) const;
  /// How many units differ from the persisted state at `point`: with n of them there are at least 2^n
  /// images.
  std::uint64_t UnpersistedUnits(std::uint64_t point) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cirein
