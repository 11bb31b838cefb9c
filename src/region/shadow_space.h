// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "region/crash_history.h"
#include "region/region.h"

namespace cirein {

/// A space in memory that remembers, for tests, every store and persist in order, so that after one
/// run the medium can be shown as a crash at any point would have left it.
///
/// Flushable: of each cache line (64 bytes, aligned) the medium holds what it held at the last
/// persist that covered it, or any later state the line went through, each line by itself. Files:
/// the same for sectors (512 bytes, aligned), a persist covering the whole file; a kWords region of
/// a file space is a dirty mapping, whose 4096-byte pages may reach the medium at any time. Names
/// made or removed since the last PersistNames are there or not, each by itself (but a file that a
/// persisted name leads to keeps its bytes as above).
///
/// Where several threads store at once, the order of events is the order in which they came to the
/// space's lock. With one thread (or the users' own lock) everything is deterministic.
class ShadowSpace final : public RegionSpace {
 public:
  enum class Medium : std::uint8_t { kFlushable, kFile };

  explicit ShadowSpace(Medium medium, std::string boot_id = "boot-1", SpaceImage image = {});
  ~ShadowSpace() override;

  const std::string& path() const override;
  const MediumTraits& traits() const override;
  const std::string& boot_id() const override;
  Status Lock() override;
  void Unlock() override {}
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
  /// From now on persists of this site do nothing but answer OK and count; nullopt: all work again.
  void DropPersists(std::optional<PersistSite> site);
  /// How often each site persisted, dropped ones too.
  std::uint64_t persists(PersistSite site) const;
  /// From now on the next writes fail with this; e.g. a full or failing disk. OK: they work again.
  /// A write that fails leaves its first half. Plain stores and creations never fail by it.
  void FailWrites(Status status);
  /// The same for persists, of names too. For a region the first failure sticks until it is opened
  /// anew.
  void FailPersists(Status status);
  /// Creations fail with ResourceExhausted when with them all files would have more bytes than
  /// this.
  void LimitBytes(std::uint64_t bytes);

  // Images may be asked for at any points in any order; neighbouring ones are the cheapest.

  /// What the process's end at `point` leaves: every store before it. `of_next_bytes`: and so much
  /// of the next event, if it is a store, in the middle of which the process was killed.
  SpaceImage ProcessCrash(std::uint64_t point, std::uint64_t of_next_bytes = 0) const;
  /// What a power cut at `point` leaves: for each unit that is not persisted one of its states
  /// drawn by `random`. `keep_one_in`: 0 keeps nothing that was not persisted, 1 keeps all, n one
  /// in n.
  SpaceImage PowerCut(std::uint64_t point, Random& random, std::uint32_t keep_one_in) const;
  /// The same with every choice made by `choose`, in a fixed order: ImageOdometer goes through all
  /// of them, where they are few.
  SpaceImage PowerCut(std::uint64_t point, const ChooseState& choose) const;
  /// How many units differ from the persisted state at `point`: with n of them there are at least
  /// 2^n images.
  std::uint64_t UnpersistedUnits(std::uint64_t point) const;

 private:
  class Impl;
  class ShadowRegion;
  // Shared with the regions, which may outlive the space.
  std::shared_ptr<Impl> impl_;
};

/// Goes through every combination of choices, as the figures of a counter do:
///   ImageOdometer odometer;
///   do { image = space.PowerCut(point, odometer.Choices()); ... } while (odometer.Next());
class ImageOdometer {
 public:
  /// The choices of the present combination, for one image. Valid while the odometer lives.
  ChooseState Choices();
  /// On to the next combination; false when there was none left, and all begins anew.
  bool Next();

 private:
  struct Figure {
    std::uint64_t value = 0;
    std::uint64_t states = 0;
  };
  std::vector<Figure> figures_;
  std::size_t used_ = 0;
};

}  // namespace cirein
